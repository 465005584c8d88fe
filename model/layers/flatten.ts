/**
 * Flattening as a layer.
 * @module
 */
import { deviceShape, type Layer, sizeOf } from "../layer.ts";

/**
 * [C, H, W] -> [C * H * W], without moving anything: the values stay NHWC in memory and the linear layer that
 * follows reads its weights' columns in that order. PyTorch's `Flatten`.
 */
export function flatten(): Layer {
  return {
    kind: "flatten",
    options: {},
    passesOn: true,
    describe(input) {
      const { c, h, w } = input.flattened ?? input;
      return { output: { c: sizeOf(input), h: 1, w: 1, flattened: { c, h, w } }, parameters: [] };
    },
    build(_, x) {
      const { shape } = x.tensor, [n, h, w, c] = shape as [number, number, number, number];
      const flat = deviceShape(n, { c: c * h * w, h: 1, w: 1, flattened: { c, h, w } });
      return {
        y: { tensor: x.tensor.reshape(flat), relu: x.relu },
        trained: false,
        backward: (dy, wantInput) => wantInput ? dy.reshape(shape) : undefined,
      };
    },
    onnx: (graph, { name, x }) => graph.add("Flatten", name, [x], { axis: 1 }),
    reference: ({ x }) => ({ y: x, backward: (dy) => ({ dx: dy }) }),
  };
}
