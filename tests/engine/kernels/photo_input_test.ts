import { photoInputCases } from "../../../verify/cases/photo_input.ts";
import { testCases } from "../../gpu.ts";

testCases(photoInputCases);
