/** Every case of every op, as `deno task doctor` runs them. */
import { KERNEL_CASES } from "../../../engine/kernels/cases.ts";
import { testCases } from "../../gpu.ts";

testCases(KERNEL_CASES);
