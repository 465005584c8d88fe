/**
 * Local response normalisation as a layer.
 * @module
 */
import * as op from "../../engine/kernels/local_response_norm/local_response_norm.ts";
import {
  localResponseNormBackward,
  localResponseNormForward,
} from "../../engine/kernels/local_response_norm/reference.ts";
import type { Layer } from "../layer.ts";

/** Options of `localResponseNorm`, with PyTorch's names and meaning. */
export interface LocalResponseNormLayerOptions {
  /** Channels in a window. */
  readonly size: number;
  /** Divided by `size`, as PyTorch and ONNX do; default 1e-4. A paper's alpha is to be multiplied by `size`. */
  readonly alpha?: number;
  /** Default 0.75. */
  readonly beta?: number;
  /** Default 1. */
  readonly k?: number;
}

/** x / (k + alpha / size * sum of squares of the neighbouring channels)^beta. PyTorch's `LocalResponseNorm`. */
export function localResponseNorm(options: LocalResponseNormLayerOptions): Layer {
  const { size, alpha = 1e-4, beta = 0.75, k = 1 } = options;
  const norm = { size, alpha, beta, k };
  return {
    kind: "local_response_norm",
    options: norm,
    describe: (input) => ({ output: input, parameters: [] }),
    build({ plan }, x) {
      return {
        y: { tensor: op.forward(plan, { x: x.tensor, ...norm }), relu: false },
        trained: false,
        backward: (dy, wantInput) =>
          wantInput ? op.backward(plan, { x: x.tensor, dy, mask: x.relu, ...norm }) : undefined,
      };
    },
    onnx(graph, { name, x }) {
      if (size % 2 === 0) {
        throw new RangeError(
          `Cannot export ${name}: its window has the even size ${size}, which reaches further down in PyTorch and further up in ONNX`,
        );
      }
      return graph.add("LRN", name, [x], {
        size,
        alpha: { float: alpha },
        beta: { float: beta },
        bias: { float: k },
      });
    },
    reference: ({ x, shape: { c } }) => ({
      y: localResponseNormForward(x, c, norm),
      backward: (dy) => ({ dx: localResponseNormBackward(x, dy, c, norm) }),
    }),
  };
}
