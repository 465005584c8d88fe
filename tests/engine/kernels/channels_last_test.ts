import { channelsLast } from "../../../engine/kernels/channels_last/channels_last.ts";
import { channelsLastCases } from "../../../engine/kernels/channels_last/cases.ts";
import { assertRefuses, shapeOnly, testCases } from "../../gpu.ts";

testCases(channelsLastCases);

Deno.test("channels_last refuses tensors that do not hold the same values", () => {
  const y = shapeOnly([2, 5, 3, 3]);
  assertRefuses(() => channelsLast(shapeOnly([89]), y), "x is [89] and y [2,5,3,3]", "wanted [N*C*H*W]");
  assertRefuses(() => channelsLast(shapeOnly([2, 3, 15]), y), "x is [2,3,15]");
});
