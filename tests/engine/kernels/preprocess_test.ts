import { photoInputCases } from "../../../engine/kernels/preprocess/cases.ts";
import { testCases } from "../../gpu.ts";

testCases(photoInputCases);
