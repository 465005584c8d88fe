/**
 * Adaptive average pooling as a layer.
 * @module
 */
import * as op from "../../engine/kernels/adaptive_avg_pool/adaptive_avg_pool.ts";
import {
  adaptiveAvgPoolBackward,
  adaptiveAvgPoolForward,
} from "../../engine/kernels/adaptive_avg_pool/reference.ts";
import type { Layer } from "../layer.ts";

/** Options of `adaptiveAvgPool`. */
export interface AdaptiveAvgPoolLayerOptions {
  /** Height and width of the output. */
  readonly size: number;
}

/** [C, H, W] -> [C, size, size], each value the mean of its share of the input. PyTorch's `AdaptiveAvgPool2d`. */
export function adaptiveAvgPool({ size }: AdaptiveAvgPoolLayerOptions): Layer {
  return {
    kind: "adaptive_avg_pool",
    options: { size },
    describe: ({ c }) => ({ output: { c, h: size, w: size }, parameters: [] }),
    build({ plan }, x) {
      const [, h, w] = x.tensor.shape;
      // Every window is one pixel then, and torchvision's AlexNet at 224 is such a case.
      if (h === size && w === size) {
        return { y: x, trained: false, backward: (dy, wantInput) => wantInput ? dy : undefined };
      }
      return {
        y: { tensor: op.forward(plan, { x: x.tensor, size: [size, size] }), relu: false },
        trained: false,
        backward: (dy, wantInput) =>
          wantInput ? op.backward(plan, { x: x.tensor, dy, mask: x.relu }) : undefined,
      };
    },
    // Windows of one size are an AveragePool; others are a product with the averaging matrix on either side.
    onnx(graph, { name, x, input: { h, w } }) {
      if (h === size && w === size) return x;
      if (h % size === 0 && w % size === 0) {
        const kernel = [h / size, w / size];
        return graph.add("AveragePool", name, [x], { kernel_shape: kernel, strides: kernel });
      }
      const rows = averages(size, h, (cell, i) => cell * h + i);
      const columns = averages(size, w, (cell, i) => i * size + cell);
      const left = graph.add("MatMul", `${name}.left`, [graph.constant(`${name}.rows`, [size, h], rows), x]);
      return graph.add("MatMul", name, [left, graph.constant(`${name}.columns`, [w, size], columns)]);
    },
    reference({ x, n, shape: { h, w, c } }) {
      const sizes = { n, h, w, c, oh: size, ow: size };
      return {
        y: adaptiveAvgPoolForward(x, sizes),
        backward: (dy) => ({ dx: adaptiveAvgPoolBackward(dy, sizes) }),
      };
    },
  };
}

/** Window `cell` of `size` covers inputs floor(cell n / size) to ceil((cell + 1) n / size), evenly. */
function averages(size: number, n: number, at: (cell: number, i: number) => number): Float32Array {
  const matrix = new Float32Array(size * n);
  for (let cell = 0; cell < size; cell++) {
    const first = Math.floor(cell * n / size), end = Math.ceil((cell + 1) * n / size);
    for (let i = first; i < end; i++) matrix[at(cell, i)] = 1 / (end - first);
  }
  return matrix;
}
