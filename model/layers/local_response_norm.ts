/** @module */
import {
  responseNormBackward,
  responseNormForward,
} from "../../engine/kernels/local_response_norm/local_response_norm.ts";
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
    fusesRelu: false,
    describe: (input) => ({ output: input, parameters: [] }),
    build({ plan }, x) {
      const y = plan.tensor(x.tensor.shape);
      plan.add(responseNormForward(x.tensor, y, norm));
      return {
        y: { tensor: y, relu: false },
        backward(dy, wantInput) {
          if (!wantInput) return undefined;
          const dx = plan.tensor(x.tensor.shape);
          plan.add(responseNormBackward(x.tensor, dy, dx, { ...norm, mask: x.relu }));
          return dx;
        },
      };
    },
  };
}
