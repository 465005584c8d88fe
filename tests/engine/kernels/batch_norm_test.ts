import { batchNormCases } from "../../../verify/cases/batch_norm.ts";
import { testCases } from "../../gpu.ts";

testCases(batchNormCases);
