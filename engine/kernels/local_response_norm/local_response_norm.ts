/**
 * Local response normalisation across channels, PyTorch's `LocalResponseNorm`.
 * @module
 */
import type { Plan } from "../../plan.ts";
import type { Tensor } from "../../tensor.ts";
import { elementwise, requireSameShape, withPrelude } from "../prelude/prelude.ts";
import source from "./local_response_norm.wgsl" with { type: "text" };

const wgsl = withPrelude(source);

/** Constants of the normalisation, named as PyTorch names them. */
export interface LocalResponseNormOptions {
  /** Channels in a window, at least 1. */
  readonly size: number;
  /** Divided by `size`; default 1e-4. */
  readonly alpha?: number;
  /** Default 0.75. */
  readonly beta?: number;
  /** Above 0; default 1. */
  readonly k?: number;
}

/** Records y_c = x_c (k + alpha / size * sum of x_j^2 over the window of c)^-beta for x [N, H, W, C]; returns y. */
export function forward(
  plan: Plan,
  { x, ...options }: { readonly x: Tensor } & LocalResponseNormOptions,
): Tensor {
  const y = plan.tensor(x.shape);
  const { constants: { MASK: _, ...constants }, grid } = geometry(x, options, false);
  plan.add({ name: "local_response_norm.forward", wgsl, tensors: [x, y], constants, grid });
  return y;
}

/** Records the exact gradient dx; with `mask`, x is a ReLU's output and dx is multiplied by (x > 0). All are [N, H, W, C]. */
export function backward(
  plan: Plan,
  { x, dy, mask = false, ...options }:
    & { readonly x: Tensor; readonly dy: Tensor; readonly mask?: boolean }
    & LocalResponseNormOptions,
): Tensor {
  requireSameShape("local_response_norm", x, dy);
  const dx = plan.tensor(x.shape);
  const { constants, grid } = geometry(x, options, mask);
  plan.add({ name: "local_response_norm.backward", wgsl, tensors: [x, dy, dx], constants, grid });
  return dx;
}

function geometry(x: Tensor, options: LocalResponseNormOptions, mask: boolean) {
  const { size, alpha = 1e-4, beta = 0.75, k = 1 } = options;
  if (!Number.isInteger(size) || size < 1 || !(k > 0) || !(alpha >= 0)) {
    throw new RangeError(
      `Cannot build local_response_norm: size is ${size}, alpha ${alpha}, k ${k}, ` +
        `wanted a whole size from 1, alpha from 0 and k above 0`,
    );
  }
  const { grid, constants } = elementwise(x.length / 4);
  const values = { C4: x.pitch / 4, WINDOW: size, SCALE: alpha / size, BETA: beta, K: k };
  return { constants: { ...constants, ...values, MASK: mask ? 1 : 0 }, grid };
}
