/**
 * ReLU as a layer.
 * @module
 */
import { reluBackward, reluForward } from "../../engine/kernels/relu/reference.ts";
import * as op from "../../engine/kernels/relu/relu.ts";
import type { Layer } from "../layer.ts";

/** max(x, 0). Right after a layer that fuses it, it costs no launch. PyTorch's `ReLU`. */
export function relu(): Layer {
  return {
    kind: "relu",
    options: {},
    isRelu: true,
    describe: (input) => ({ output: input, parameters: [] }),
    build({ plan }, x) {
      return {
        y: { tensor: op.forward(plan, { x: x.tensor }), relu: true },
        trained: false,
        backward(dy, wantInput) {
          // dy is masked by its producer already, because y.relu is true; where x is a ReLU's output too, once more.
          if (!wantInput) return undefined;
          return x.relu ? op.backward(plan, { y: x.tensor, dy }) : dy;
        },
      };
    },
    onnx: (graph, { name, x }) => graph.add("Relu", name, [x]),
    reference({ x }) {
      let margin = Infinity;
      for (let i = 0; i < x.length; i++) margin = Math.min(margin, Math.abs(x[i]!));
      return { y: reluForward(x), margin, backward: (dy) => ({ dx: reluBackward(x, dy) }) };
    },
  };
}
