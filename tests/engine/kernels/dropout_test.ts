import { dropoutCases } from "../../../verify/cases/dropout.ts";
import { testCases } from "../../gpu.ts";

testCases(dropoutCases);
