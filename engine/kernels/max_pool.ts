/** @module */
import { elementwise, type Launch } from "../kernel.ts";
import type { Tensor } from "../tensor.ts";
import wgsl from "./max_pool.wgsl" with { type: "text" };

/** A pooling window; `padding` is at most half of `kernel`. */
export interface PoolOptions {
  readonly kernel: number;
  /** Default: `kernel`. */
  readonly stride?: number;
  /** Default: 0. */
  readonly padding?: number;
}

/** Output height or width: floor((size + 2 padding - kernel) / stride) + 1. */
export function poolOutput(size: number, { kernel, stride = kernel, padding = 0 }: PoolOptions): number {
  return Math.floor((size + 2 * padding - kernel) / stride) + 1;
}

/** y [N, OH, OW, C] = the maximum of each window of x [N, H, W, C]. */
export function maxPoolForward(x: Tensor, y: Tensor, options: PoolOptions): Launch {
  const { constants, ...rest } = elementwise(y.length / 4);
  const { MASK: _, ...sizes } = geometry(x, y, options, false);
  return { name: "max_pool.forward", wgsl, tensors: [x, y], constants: { ...constants, ...sizes }, ...rest };
}

/**
 * dx [N, H, W, C] from dy [N, OH, OW, C]: each window's gradient goes to its first maximum in row-major order.
 * With `mask`, x is a ReLU's output and dx is multiplied by (x > 0).
 */
export function maxPoolBackward(
  x: Tensor,
  y: Tensor,
  dy: Tensor,
  dx: Tensor,
  options: PoolOptions & { mask?: boolean },
): Launch {
  const sizes = geometry(x, y, options, options.mask ?? false);
  if (sizes.PAD === 0 && sizes.STRIDE >= sizes.K) {
    const [N, H, W] = x.shape as [number, number, number];
    const cells = N * Math.ceil(H / sizes.STRIDE) * Math.ceil(W / sizes.STRIDE);
    const { constants, grid } = elementwise(cells * sizes.C4);
    const { PAD: _, ...used } = sizes;
    const tensors = [x, dy, dx];
    return { name: "max_pool.backward_apart", wgsl, tensors, constants: { ...constants, ...used }, grid };
  }
  const { constants, grid } = elementwise(x.length / 4);
  return {
    name: "max_pool.backward",
    wgsl,
    tensors: [x, y, dy, dx],
    constants: { ...constants, ...sizes },
    grid,
  };
}

function geometry(x: Tensor, y: Tensor, options: PoolOptions, mask: boolean) {
  const { kernel: K, stride: STRIDE = K, padding: PAD = 0 } = options;
  const [N, H, W, C] = x.shape as [number, number, number, number];
  const OH = poolOutput(H, options), OW = poolOutput(W, options);
  if (PAD * 2 > K) {
    throw new RangeError(
      `Cannot build max_pool: padding is ${PAD}, wanted at most half of the window of ${K}`,
    );
  }
  if (OH < 1 || OW < 1 || `${y.shape}` !== `${[N, OH, OW, C]}`) {
    throw new RangeError(
      `Cannot build max_pool: output is [${y.shape}], ${K}x${K} windows with stride ${STRIDE} and padding ${PAD} ` +
        `on [${x.shape}] give [${N},${OH},${OW},${C}]`,
    );
  }
  return { H, W, C4: x.pitch / 4, OH, OW, K, STRIDE, PAD, MASK: mask ? 1 : 0 };
}
