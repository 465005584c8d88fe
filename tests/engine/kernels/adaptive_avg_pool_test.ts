import { adaptiveAvgPoolCases } from "../../../verify/cases/adaptive_avg_pool.ts";
import { testCases } from "../../gpu.ts";

testCases(adaptiveAvgPoolCases);
