import { maxPoolCases } from "../../../verify/cases/max_pool.ts";
import { testCases } from "../../gpu.ts";

testCases(maxPoolCases);
