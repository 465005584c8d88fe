/**
 * Mean and standard deviation of each channel of a map: what an image is like, wherever in it that may be.
 * @module
 */
import type { Plan } from "../../plan.ts";
import type { Tensor } from "../../tensor.ts";
import { elementwise, withPrelude } from "../prelude/prelude.ts";
import source from "./moments.wgsl" with { type: "text" };

const wgsl = withPrelude(source);

/** Records y [N, 2, 1, C] = means and standard deviations (of all pixels, not one less) of x [N, H, W, C] over H and W; returns y. */
export function forward(plan: Plan, { x }: { readonly x: Tensor }): Tensor {
  const [N, H, W, C] = x.shape as [number, number, number, number];
  if (x.shape.length !== 4) {
    throw new RangeError(`Cannot build moments: input is [${x.shape}], wanted [N,H,W,C]`);
  }
  const y = plan.tensor([N, 2, 1, C]);
  const { constants, grid } = elementwise(N * x.pitch / 4);
  plan.add({
    name: "moments.forward",
    wgsl,
    tensors: [x, y],
    constants: { ...constants, C4: x.pitch / 4, PIXELS: H * W },
    grid,
  });
  return y;
}
