/**
 * Dropout as a layer.
 * @module
 */
import { hash, Stream, uniform } from "../../engine/random.ts";
import * as op from "../../engine/kernels/dropout/dropout.ts";
import { dropout as plain } from "../../engine/kernels/dropout/reference.ts";
import { alignTo4 } from "../../engine/tensor.ts";
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
    wholeBatch: true,
    options: { rate },
    describe(input) {
      if (!(rate >= 0 && rate < 1)) {
        throw new RangeError(`Cannot build dropout: rate is ${rate}, wanted at least 0 and under 1`);
      }
      return { output: input, parameters: [] };
    },
    build({ plan, training, random, index }, x) {
      if (!training || rate === 0) {
        return { y: x, trained: false, backward: (dy, wantInput) => wantInput ? dy : undefined };
      }
      if (!random) {
        throw new RangeError("Cannot build dropout: training needs a tensor (seed, step, 0, 0), none came");
      }
      const drawn = { x: x.tensor, rate, random, stream: hash(Stream.dropout, 0, index) };
      return {
        y: { tensor: op.forward(plan, drawn), relu: false },
        trained: false,
        backward: (dy, wantInput) =>
          wantInput ? op.backward(plan, { ...drawn, dy, mask: x.relu }) : undefined,
      };
    },
    onnx: (_, { x }) => x,
    reference({ x, shape, index, training }) {
      if (!training || rate === 0) return { y: x, backward: (dy) => ({ dx: dy }) };
      // Elements are numbered as they lie in memory, where a flatten moves nothing and pads the channels to four.
      const { c } = shape.flattened ?? shape, pitch = shape.flattened ? alignTo4(c) : c;
      const stream = hash(Stream.dropout, 0, index);
      const draw = (i: number) =>
        uniform(training.seed, stream, Math.floor(i / c) * pitch + i % c, training.step);
      return { y: plain(x, rate, draw), backward: (dy) => ({ dx: plain(dy, rate, draw) }) };
    },
  };
}
