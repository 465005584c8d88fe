/** @module */
import { elementwise, type Launch } from "../../kernel.ts";
import type { Tensor } from "../../tensor.ts";
import wgsl from "./local_response_norm.wgsl" with { type: "text" };

/** Constants of the normalisation, named as PyTorch's `LocalResponseNorm` names them. */
export interface ResponseNormOptions {
  /** Channels in a window, at least 1. */
  readonly size: number;
  /** Divided by `size`; default 1e-4. */
  readonly alpha?: number;
  /** Default 0.75. */
  readonly beta?: number;
  /** Above 0; default 1. */
  readonly k?: number;
}

/** y_c = x_c (k + alpha / size * sum of x_j^2 over the window of c)^-beta; x and y are [N, H, W, C]. */
export function responseNormForward(x: Tensor, y: Tensor, options: ResponseNormOptions): Launch {
  const { constants: { MASK: _, ...constants }, grid } = geometry(x, y, options, false);
  return { name: "local_response_norm.forward", wgsl, tensors: [x, y], constants, grid };
}

/** The exact gradient dx. With `mask`, x is a ReLU's output and dx is multiplied by (x > 0). All are [N, H, W, C]. */
export function responseNormBackward(
  x: Tensor,
  dy: Tensor,
  dx: Tensor,
  options: ResponseNormOptions & { mask?: boolean },
): Launch {
  const { constants, grid } = geometry(x, dy, options, options.mask ?? false);
  return { name: "local_response_norm.backward", wgsl, tensors: [x, dy, dx], constants, grid };
}

function geometry(x: Tensor, y: Tensor, options: ResponseNormOptions, mask: boolean) {
  const { size, alpha = 1e-4, beta = 0.75, k = 1 } = options;
  if (`${x.shape}` !== `${y.shape}`) {
    throw new RangeError(`Cannot build local_response_norm: shapes are [${x.shape}] and [${y.shape}]`);
  }
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
