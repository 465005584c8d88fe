import { adaptiveAvgPoolCases } from "../../../engine/kernels/adaptive_avg_pool/cases.ts";
import { assertRefuses, shapeOnly, testCases } from "../../gpu.ts";
import { adaptiveAvgPoolForward } from "../../../engine/kernels/adaptive_avg_pool/adaptive_avg_pool.ts";

testCases(adaptiveAvgPoolCases);

for (const shape of [[2, 3, 3, 4], [3, 3, 3, 5], [2, 3, 5]]) {
  Deno.test(`adaptive_avg_pool of 2x7x7x5 refuses an output of ${shape.join("x")}`, () => {
    const build = () => adaptiveAvgPoolForward(shapeOnly([2, 7, 7, 5]), shapeOnly(shape));
    assertRefuses(build, "Cannot build adaptive_avg_pool", `[${shape}]`, "[2,OH,OW,5]");
  });
}
