/** @module */
import { maxPoolBackward, maxPoolForward, poolOutput } from "../../engine/kernels/max_pool/max_pool.ts";
import type { Tensor } from "../../engine/tensor.ts";
import type { Layer } from "../layer.ts";

/** Options of `maxPool`. */
export interface MaxPoolLayerOptions {
  readonly kernel: number;
  /** Default: `kernel`. */
  readonly stride?: number;
  /** Default 0. */
  readonly padding?: number;
}

/** Maximum of each window; ties give the gradient to the first in row-major order. PyTorch's `MaxPool2d`. */
export function maxPool(options: MaxPoolLayerOptions): Layer {
  const { kernel, stride = kernel, padding = 0 } = options;
  const pool = { kernel, stride, padding };
  return {
    kind: "max_pool",
    options: pool,
    fusesRelu: false,
    describe(input) {
      const h = poolOutput(input.h, pool), w = poolOutput(input.w, pool);
      if (h < 1 || w < 1) {
        throw new RangeError(
          `Cannot build max_pool: input is ${input.h}x${input.w}, a ${kernel}x${kernel} window needs more`,
        );
      }
      return { output: { c: input.c, h, w }, parameters: [] };
    },
    build({ plan, training }, x) {
      const [n, h, w, c] = x.tensor.shape as [number, number, number, number];
      const y = plan.tensor([n, poolOutput(h, pool), poolOutput(w, pool), c]);
      const forward = (winners?: Tensor) =>
        plan.add(maxPoolForward(x.tensor, y, { ...pool, mask: x.relu, ...winners && { winners } }));
      const known = training ? plan.tensor([y.length / 4]) : undefined;
      forward(known);
      return {
        y: { tensor: y, relu: false },
        backward(dy, wantInput) {
          if (!wantInput) return undefined;
          const winners = known ?? plan.tensor([y.length / 4]);
          // An explanation goes back through a network that was built for inference.
          if (!known) forward(winners);
          const dx = plan.tensor(x.tensor.shape);
          plan.add(maxPoolBackward(winners, dy, dx, pool));
          return dx;
        },
      };
    },
  };
}
