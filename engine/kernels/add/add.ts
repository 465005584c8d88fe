/**
 * Sums of tensors of one shape, where two paths of a network meet.
 * @module
 */
import type { Plan } from "../../plan.ts";
import type { Tensor } from "../../tensor.ts";
import { elementwise, requireSameShape, withPrelude } from "../prelude/prelude.ts";
import source from "./add.wgsl" with { type: "text" };

const wgsl = withPrelude(source);

/** Records y = a + b, then ReLU if `relu`; returns y. */
export function forward(
  plan: Plan,
  { a, b, relu = false }: { readonly a: Tensor; readonly b: Tensor; readonly relu?: boolean },
): Tensor {
  requireSameShape("add", a, b);
  const y = plan.tensor(a.shape);
  const { grid, constants } = elementwise(y.length / 4);
  plan.add({
    name: "add.forward",
    wgsl,
    tensors: [a, b, y],
    constants: { ...constants, RELU: relu ? 1 : 0 },
    grid,
  });
  return y;
}

/** Records y = (a + b) times (x > 0), the gradient before a ReLU with output x that two paths read; returns y. */
export function masked(
  plan: Plan,
  { a, b, x }: { readonly a: Tensor; readonly b: Tensor; readonly x: Tensor },
): Tensor {
  requireSameShape("add", a, b);
  requireSameShape("add", a, x);
  const y = plan.tensor(a.shape);
  plan.add({ name: "add.masked", wgsl, tensors: [a, b, x, y], ...elementwise(y.length / 4) });
  return y;
}

/** Records y += x. */
export function accumulate(plan: Plan, { x, y }: { readonly x: Tensor; readonly y: Tensor }): void {
  requireSameShape("add", x, y);
  plan.add({ name: "add.accumulate", wgsl, tensors: [x, y], ...elementwise(y.length / 4) });
}
