/** @module */
import { reluBackward, reluForward } from "../../engine/kernels/relu/relu.ts";
import type { Tensor } from "../../engine/tensor.ts";
import type { Activation, Layer, Step } from "../layer.ts";

/** max(x, 0). Right after a layer that fuses it, it costs no launch. PyTorch's `ReLU`. */
export function relu(): Layer {
  return {
    kind: "relu",
    options: {},
    fusesRelu: false,
    describe: (input) => ({ output: input, parameters: [] }),
    build(step, x) {
      const y = step.plan.tensor(x.tensor.shape);
      step.plan.add(reluForward(x.tensor, y));
      return {
        y: { tensor: y, relu: true },
        // dy is masked by its producer already, because y.relu is true.
        backward: (dy, wantInput) => wantInput ? maskGradient(step, x, dy) : undefined,
      };
    },
  };
}

/** The gradient of x, given the gradient ignoring that x is a ReLU's output: one launch, only where it is one. */
export function maskGradient(step: Step, x: Activation, dx: Tensor): Tensor {
  if (!x.relu) return dx;
  const masked = step.plan.tensor(dx.shape);
  step.plan.add(reluBackward(x.tensor, dx, masked));
  return masked;
}
