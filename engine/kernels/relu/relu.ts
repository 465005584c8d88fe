/**
 * ReLU, element-wise. Right after an op that fuses it, it costs no launch of its own.
 * @module
 */
import type { Plan } from "../../plan.ts";
import type { Tensor } from "../../tensor.ts";
import { elementwise, withPrelude } from "../prelude/prelude.ts";
import source from "./relu.wgsl" with { type: "text" };

const wgsl = withPrelude(source);

/** Records y = max(x, 0) for x of any shape; returns y. */
export function forward(plan: Plan, { x }: { readonly x: Tensor }): Tensor {
  const y = plan.tensor(x.shape);
  plan.add({ name: "relu.forward", wgsl, tensors: [x, y], ...elementwise(x.length / 4) });
  return y;
}

/** Records dx = dy where y > 0, else 0; all of one shape; returns dx. */
export function backward(plan: Plan, { y, dy }: { readonly y: Tensor; readonly dy: Tensor }): Tensor {
  const dx = plan.tensor(dy.shape);
  plan.add({ name: "relu.backward", wgsl, tensors: [y, dy, dx], ...elementwise(y.length / 4) });
  return dx;
}
