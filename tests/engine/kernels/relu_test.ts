import { reluCases } from "../../../engine/kernels/relu/cases.ts";
import { testCases } from "../../gpu.ts";

testCases(reluCases);
