/** @module */
import { elementwise, type Launch } from "../../kernel.ts";
import type { Tensor } from "../../tensor.ts";
import wgsl from "./relu.wgsl" with { type: "text" };

/** y = max(x, 0). Same shape for both. */
export function reluForward(x: Tensor, y: Tensor): Launch {
  return { name: "relu.forward", wgsl, tensors: [x, y], ...elementwise(x.length / 4) };
}

/** dx = dy where y > 0, else 0. Same shape for all. */
export function reluBackward(y: Tensor, dy: Tensor, dx: Tensor): Launch {
  return { name: "relu.backward", wgsl, tensors: [y, dy, dx], ...elementwise(y.length / 4) };
}
