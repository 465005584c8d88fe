/** @module */
import { elementwise, type Launch } from "../../kernel.ts";
import type { Tensor } from "../../tensor.ts";
import wgsl from "./adaptive_avg_pool.wgsl" with { type: "text" };

/** y [N, OH, OW, C] = means of x [N, H, W, C] over the windows of PyTorch's `AdaptiveAvgPool2d((OH, OW))`. */
export function adaptiveAvgPoolForward(x: Tensor, y: Tensor): Launch {
  const { MASK: _, ...sizes } = geometry(x, y, false);
  const { constants, grid } = elementwise(y.length / 4);
  const tensors = [x, y];
  return { name: "adaptive_avg_pool.forward", wgsl, tensors, constants: { ...constants, ...sizes }, grid };
}

/** dx [N, H, W, C] from dy [N, OH, OW, C]. With `mask`, x is a ReLU's output and dx is multiplied by (x > 0). */
export function adaptiveAvgPoolBackward(
  x: Tensor,
  dy: Tensor,
  dx: Tensor,
  options: { mask?: boolean } = {},
): Launch {
  const sizes = geometry(x, dy, options.mask ?? false);
  const { constants, grid } = elementwise(x.length / 4);
  const tensors = [dy, x, dx];
  return { name: "adaptive_avg_pool.backward", wgsl, tensors, constants: { ...constants, ...sizes }, grid };
}

function geometry(x: Tensor, y: Tensor, mask: boolean) {
  const [N, H, W, C] = x.shape as [number, number, number, number];
  const [YN, OH, OW, YC] = y.shape as [number, number, number, number];
  if (x.shape.length !== 4 || y.shape.length !== 4 || YN !== N || YC !== C) {
    throw new RangeError(
      `Cannot build adaptive_avg_pool: output is [${y.shape}], wanted [${N},OH,OW,${C}] for input [${x.shape}]`,
    );
  }
  return { H, W, C4: x.pitch / 4, OH, OW, MASK: mask ? 1 : 0 };
}
