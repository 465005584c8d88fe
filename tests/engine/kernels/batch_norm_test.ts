import { batchNormCases } from "../../../engine/kernels/batch_norm/cases.ts";
import {
  batchNormForward,
  batchNormPartials,
  batchNormStatistics,
} from "../../../engine/kernels/batch_norm/batch_norm.ts";
import { assertRefuses, shapeOnly, testCases } from "../../gpu.ts";

testCases(batchNormCases);

function statistics(x: number[], channels: number) {
  const input = shapeOnly(x);
  const running = { mean: shapeOnly([channels]), variance: shapeOnly([channels]) };
  const partials = shapeOnly(batchNormPartials(input));
  return batchNormStatistics(input, partials, shapeOnly([2, channels]), running, {
    eps: 1e-5,
    momentum: 0.1,
  });
}

Deno.test("batch_norm refuses to train on one value per channel, whose variance nobody knows", () => {
  assertRefuses(
    () => statistics([1, 1, 1, 5], 5),
    "Cannot build batch_norm",
    "1 value per channel",
    "at least 2",
  );
});

Deno.test("batch_norm refuses parameters of other channels", () => {
  assertRefuses(() => statistics([2, 3, 3, 5], 6), "Cannot build batch_norm", "5 channels");
  const x = shapeOnly([2, 3, 3, 5]), five = shapeOnly([5]);
  const build = () => batchNormForward(x, shapeOnly([2, 5]), five, shapeOnly([8], "bias"), x);
  assertRefuses(build, "Cannot build batch_norm", "bias is [8]");
});

Deno.test("batch_norm refuses an output of another size", () => {
  const five = shapeOnly([5]), y = shapeOnly([2, 3, 4, 5], "y");
  const build = () => batchNormForward(shapeOnly([2, 3, 3, 5]), shapeOnly([2, 5]), five, five, y);
  assertRefuses(build, "Cannot build batch_norm", "y is [2,3,4,5]");
});
