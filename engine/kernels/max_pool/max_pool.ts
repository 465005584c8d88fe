/** @module */
import { elementwise, type Launch } from "../../kernel.ts";
import type { Tensor } from "../../tensor.ts";
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

/** Largest window in training: a winner's place in it is kept in a byte, and 255 means none. */
const LARGEST_TRAINED = 15;

/**
 * y [N, OH, OW, C] = the maximum of each window of x [N, H, W, C]. For training, `winners` [N * OH * OW * C / 4] (C padded to
 * four) receives which value of each window it was; with `mask`, x is a ReLU's output and a maximum of zero passes no gradient.
 */
export function maxPoolForward(
  x: Tensor,
  y: Tensor,
  options: PoolOptions & { winners?: Tensor; mask?: boolean },
): Launch {
  const sizes = geometry(x, y, options);
  const { constants, grid } = elementwise(y.length / 4);
  const { winners, mask } = options;
  if (!winners) {
    const name = "max_pool.forward";
    return { name, wgsl, tensors: [x, y], constants: { ...constants, ...sizes }, grid };
  }
  if (sizes.K > LARGEST_TRAINED || winners.size !== y.length / 4) {
    throw new RangeError(
      `Cannot build max_pool: winners of ${sizes.K}x${sizes.K} windows are [${winners.shape}], wanted windows of at most ` +
        `${LARGEST_TRAINED}x${LARGEST_TRAINED} and [${y.length / 4}]`,
    );
  }
  return {
    name: "max_pool.forward_training",
    wgsl,
    tensors: [x, y, winners],
    constants: { ...constants, ...sizes, MASK: mask ? 1 : 0 },
    grid,
  };
}

/** dx [N, H, W, C] from dy [N, OH, OW, C]: each window's gradient goes where `winners` says, its first maximum in row-major order. */
export function maxPoolBackward(winners: Tensor, dy: Tensor, dx: Tensor, options: PoolOptions): Launch {
  const sizes = geometry(dx, dy, options);
  const tensors = [winners, dy, dx];
  if (sizes.PAD === 0 && sizes.STRIDE >= sizes.K) {
    const [N, H, W] = dx.shape as [number, number, number];
    const cells = N * Math.ceil(H / sizes.STRIDE) * Math.ceil(W / sizes.STRIDE);
    const { constants, grid } = elementwise(cells * sizes.C4);
    const { PAD: _, ...used } = sizes;
    return { name: "max_pool.backward_apart", wgsl, tensors, constants: { ...constants, ...used }, grid };
  }
  const { constants, grid } = elementwise(dx.length / 4);
  return { name: "max_pool.backward", wgsl, tensors, constants: { ...constants, ...sizes }, grid };
}

function geometry(x: Tensor, y: Tensor, options: PoolOptions) {
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
  return { H, W, C4: x.pitch / 4, OH, OW, K, STRIDE, PAD };
}
