import { conv2dCases, linearCases } from "../../../engine/kernels/conv2d/cases.ts";
import { conv2dForward, conv2dInputGrad } from "../../../engine/kernels/conv2d/conv2d.ts";
import { chooseTile } from "../../../engine/kernels/matmul/tile_table.ts";
import { assertRefuses, gpu, shapeOnly, testCases } from "../../gpu.ts";

testCases([...conv2dCases, ...linearCases]);

const tile = chooseTile(gpu, { op: "forward", rows: 100, cols: 6, depth: 36 });
const bias = shapeOnly([6]);

function build(
  x: number[],
  weight: number[],
  y: number[],
  options: { stride?: number; padding?: number; groups?: number },
) {
  return () => conv2dForward(shapeOnly(x), shapeOnly(weight), bias, shapeOnly(y), { ...options, tile });
}

Deno.test("conv2d refuses weights for other channels", () => {
  const refused = build([1, 9, 9, 3], [3, 3, 96, 6], [1, 7, 7, 6], {});
  assertRefuses(refused, "Cannot build conv2d.forward", "input has 3 channels, weights expect 96");
});

Deno.test("conv2d refuses an output of another shape, and says which it gives", () => {
  const refused = build([1, 9, 9, 4], [3, 3, 4, 6], [1, 7, 7, 6], { stride: 2 });
  assertRefuses(refused, "Cannot build conv2d.forward", "[1,7,7,6]", "[1,4,4,6]");
});

Deno.test("conv2d refuses a kernel that is larger than the padded input", () => {
  assertRefuses(
    build([1, 2, 2, 4], [5, 5, 4, 6], [1, 1, 1, 6], { padding: 1 }),
    "Cannot build conv2d.forward",
    "5x5",
  );
});

Deno.test("conv2d refuses groups that do not divide the channels", () => {
  const refused = build([1, 9, 9, 4], [3, 3, 4, 6], [1, 7, 7, 6], { groups: 4 });
  assertRefuses(refused, "Cannot build conv2d.forward", "4 and 6 channels", "4 groups");
});

Deno.test("conv2d refuses tensors without four dimensions", () => {
  const [x, weight] = [shapeOnly([9, 9, 4]), shapeOnly([3, 3, 4, 6])];
  const refused = () => conv2dInputGrad(shapeOnly([1, 7, 7, 6]), weight, x, x, { tile });
  assertRefuses(refused, "Cannot build conv2d.input_grad", "four dimensions");
});
