/** @module */
import { deviceShape, type Layer, sizeOf } from "../layer.ts";
import type { Tensor } from "../../engine/tensor.ts";

/**
 * [C, H, W] -> [C * H * W], without moving anything: the values stay NHWC in memory and the linear layer that
 * follows reads its weights' columns in that order. PyTorch's `Flatten`.
 */
export function flatten(): Layer {
  return {
    kind: "flatten",
    options: {},
    fusesRelu: false,
    describe(input) {
      const { c, h, w } = input.flattened ?? input;
      return { output: { c: sizeOf(input), h: 1, w: 1, flattened: { c, h, w } }, parameters: [] };
    },
    build(_step, x) {
      const [n, h, w, c] = x.tensor.shape as [number, number, number, number];
      const shape = deviceShape(n, { c: c * h * w, h: 1, w: 1, flattened: { c, h, w } });
      const y = reshaped(x.tensor, shape);
      return {
        y: { tensor: y, relu: x.relu },
        backward: (dy, wantInput) => wantInput ? reshaped(dy, x.tensor.shape) : undefined,
      };
    },
  };
}

/** The same memory under another shape of as many padded elements. */
function reshaped(tensor: Tensor, shape: readonly number[]): Tensor {
  const last = shape.at(-1)!;
  const size = shape.reduce((a, b) => a * b, 1);
  return { ...tensor, shape: [...shape], size, pitch: Math.ceil(last / 4) * 4 };
}
