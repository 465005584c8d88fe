import { reluCases } from "../../../verify/cases/relu.ts";
import { testCases } from "../../gpu.ts";

testCases(reluCases);
