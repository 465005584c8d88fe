/**
 * NCHW planes to the NHWC order that every other kernel works in.
 * @module
 */
import type { Plan } from "../../plan.ts";
import type { Tensor } from "../../tensor.ts";
import { GROUP } from "../prelude/prelude.ts";
import wgsl from "./channels_last.wgsl" with { type: "text" };

/** Records y [N, H, W, C] from `x`, which holds N * C * H * W values in the order [N, C, H, W] with no padding between. */
export function reorder(plan: Plan, { x, y }: { readonly x: Tensor; readonly y: Tensor }): void {
  const [N, H, W, C] = y.shape as [number, number, number, number];
  if (y.shape.length !== 4 || x.shape.length !== 1 || x.size !== y.size) {
    throw new RangeError(
      `Cannot build channels_last: x is [${x.shape}] and y [${y.shape}], wanted [N*C*H*W] and [N,H,W,C]`,
    );
  }
  plan.add({
    name: "channels_last.main",
    wgsl,
    tensors: [x, y],
    constants: { PIXELS: H * W, C, GROUP },
    grid: [Math.ceil(H * W / GROUP), Math.ceil(C / 4), N],
  });
}
