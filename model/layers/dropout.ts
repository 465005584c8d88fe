/** @module */
import { hash, Stream } from "../../engine/random.ts";
import { dropoutBackward, dropoutForward } from "../../engine/kernels/dropout/dropout.ts";
import type { Layer } from "../layer.ts";

/** Options of `dropout`. */
export interface DropoutLayerOptions {
  /** Share of the values that become 0 in training: from 0 to under 1. */
  readonly rate: number;
}

/**
 * In training, values are dropped at random and the others divided by (1 - rate); in inference it costs nothing.
 * PyTorch's `Dropout`. The mask is a function of (seed, layer, step, element) and is never stored.
 */
export function dropout({ rate }: DropoutLayerOptions): Layer {
  return {
    kind: "dropout",
    options: { rate },
    fusesRelu: false,
    describe(input) {
      if (!(rate >= 0 && rate < 1)) {
        throw new RangeError(`Cannot build dropout: rate is ${rate}, wanted at least 0 and under 1`);
      }
      return { output: input, parameters: [] };
    },
    build({ plan, training, random, index }, x) {
      if (!training || rate === 0) return { y: x, backward: (dy, wantInput) => wantInput ? dy : undefined };
      if (!random) {
        throw new RangeError("Cannot build dropout: training needs a tensor (seed, step, 0, 0), none came");
      }
      const options = { rate, stream: hash(Stream.dropout, 0, index) };
      const y = plan.tensor(x.tensor.shape);
      plan.add(dropoutForward(x.tensor, random, y, options));
      return {
        y: { tensor: y, relu: false },
        backward(dy, wantInput) {
          if (!wantInput) return undefined;
          const dx = plan.tensor(x.tensor.shape);
          plan.add(dropoutBackward(x.tensor, random, dy, dx, { ...options, mask: x.relu }));
          return dx;
        },
      };
    },
  };
}
