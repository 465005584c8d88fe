/**
 * Batch normalisation over all but the last dimension, PyTorch's `BatchNorm2d`: y = (x - mean) invstd weight + bias. The rows
 * of x are dealt out to CHUNKS invocations for each vector of four channels; a second launch merges the chunks.
 * @module
 */
import type { Launch } from "../../kernel.ts";
import type { Plan } from "../../plan.ts";
import type { Tensor } from "../../tensor.ts";
import { elementwise, GROUP, withPrelude } from "../prelude/prelude.ts";
import source from "./batch_norm.wgsl" with { type: "text" };

const wgsl = withPrelude(source);

/** Running statistics [C], kept between steps. */
export interface RunningStatistics {
  /** [C]. */
  readonly mean: Tensor;
  /** [C], unbiased. */
  readonly variance: Tensor;
}

/** What the backward pass needs of the forward pass. */
export interface SavedStatistics {
  /** [2, C]: mean and 1 / sqrt(variance + eps). */
  readonly statistics: Tensor;
  /** Scratch [CHUNKS, 2, C] that both passes share; absent after an inference pass. */
  readonly partials: Tensor | undefined;
}

/** Inputs of the forward pass. */
export interface ForwardInputs {
  /** [..., C]. */
  readonly x: Tensor;
  /** [C]. */
  readonly weight: Tensor;
  /** [C]. */
  readonly bias: Tensor;
  /** Read in inference, moved in training. */
  readonly running: RunningStatistics;
  /** Added to the variance. */
  readonly eps: number;
  /**
   * Training: x's own statistics are used (variance biased), and the running ones move by this share towards them (variance
   * unbiased). Undefined: the running statistics are used and stay.
   */
  readonly momentum: number | undefined;
  /** Follow with max(., 0). */
  readonly relu?: boolean;
}

/** Records the normalisation; returns y [..., C] and what `backward` needs. Throws a `RangeError` for one row in training. */
export function forward(
  plan: Plan,
  { x, weight, bias, running, eps, momentum, relu = false }: ForwardInputs,
): SavedStatistics & { readonly y: Tensor } {
  const channels = x.shape.at(-1)!;
  const sizes = geometry(x, [running.mean, running.variance, weight, bias]);
  const { C4, ROWS, CHUNKS } = sizes;
  const statistics = plan.tensor([2, channels]);
  let partials: Tensor | undefined;
  if (momentum === undefined) {
    const { grid } = elementwise(C4);
    plan.add({
      name: "batch_norm.use_running",
      wgsl,
      tensors: [running.mean, running.variance, statistics],
      constants: { GROUP, C: channels, C4, EPS: eps },
      grid,
    });
  } else {
    if (ROWS < 2) {
      throw new RangeError(
        `Cannot build batch_norm: input [${x.shape}] has 1 value per channel, training needs at least 2`,
      );
    }
    partials = plan.tensor([CHUNKS, 2, channels]);
    plan.add(perChunk("chunk_statistics", sizes, [x, partials], { C4, ROWS, CHUNKS }), {
      name: "batch_norm.merge_statistics",
      wgsl,
      tensors: [partials, statistics, running.mean, running.variance],
      constants: { ...sizes, GROUP, EPS: eps, MOMENTUM: momentum },
      grid: [C4, 1, 1],
    });
  }
  const y = plan.tensor(x.shape);
  plan.add(perChunk("normalise", sizes, [x, statistics, weight, bias, y], {
    C4,
    ROWS,
    CHUNKS,
    RELU: relu ? 1 : 0,
  }));
  return { y, statistics, partials };
}

/** Inputs of the backward pass. */
export interface BackwardInputs {
  /** [..., C], as dy. */
  readonly x: Tensor;
  /** [..., C], the gradient of y. */
  readonly dy: Tensor;
  /** [C]. */
  readonly weight: Tensor;
  /** What `forward` returned. */
  readonly saved: SavedStatistics;
  /** Receives the gradient of the weight [C]; left out: it is not wanted. */
  readonly dWeight?: Tensor | undefined;
  /** Receives the gradient of the bias [C]; left out: it is not wanted. */
  readonly dBias?: Tensor | undefined;
  /** Whether the statistics are x's own and so depend on it. */
  readonly training: boolean;
  /** x is a ReLU's output: multiply dx by (x > 0). */
  readonly mask?: boolean;
  /** Add to dWeight and dBias instead of replacing them. */
  readonly accumulate?: boolean;
  /** Whether dx is wanted; default true. */
  readonly wantInput?: boolean;
}

/** Records dWeight, dBias and, if wanted, dx [..., C], which it returns. */
export function backward(
  plan: Plan,
  { x, dy, weight, saved, training, mask = false, accumulate = false, wantInput = true, ...gradients }:
    BackwardInputs,
): Tensor | undefined {
  const channels = x.shape.at(-1)!;
  const { statistics } = saved;
  const dx = wantInput ? plan.tensor(x.shape) : undefined;
  const sizes = geometry(x, [statistics, weight, dy]);
  const { C4, ROWS, CHUNKS } = sizes;
  const partials = saved.partials ?? plan.tensor([CHUNKS, 2, channels]);
  const sums = plan.tensor([2, channels]);
  const dWeight = gradients.dWeight ?? plan.tensor([channels]),
    dBias = gradients.dBias ?? plan.tensor([channels]);
  plan.add(perChunk("chunk_gradients", sizes, [x, statistics, dy, partials], { C4, ROWS, CHUNKS }), {
    name: "batch_norm.merge_gradients",
    wgsl,
    tensors: [partials, sums, dWeight, dBias],
    constants: { C4, CHUNKS, GROUP, ACCUMULATE: accumulate ? 1 : 0 },
    grid: [C4, 1, 1],
  });
  if (dx) {
    plan.add(perChunk("input_gradient", sizes, [x, statistics, dy, weight, sums, dx], {
      C4,
      ROWS,
      CHUNKS,
      TRAINING: training ? 1 : 0,
      MASK: mask ? 1 : 0,
    }));
  }
  return dx;
}

/**
 * Records running [C] = (1 - momentum) running + momentum statistic for every batch of a step in its turn: `records` [batches, length] hold
 * each batch's statistic from element `offset` on, a multiple of four. A record whose third number is 0 is none.
 */
export function moveRunning(
  plan: Plan,
  { records, offset, running, momentum }: {
    readonly records: Tensor;
    readonly offset: number;
    readonly running: Tensor;
    readonly momentum: number;
  },
): void {
  const { grid } = elementwise(running.length / 4);
  plan.add({
    name: "batch_norm.move_running",
    wgsl,
    tensors: [records, running],
    constants: {
      ...{ GROUP, C4: running.length / 4, MOMENTUM: momentum, OFFSET: offset / 4 },
      ...{ BATCHES: records.shape[0]!, STRIDE: records.pitch / 4 },
    },
    grid,
  });
}

/** Short chunks keep float32 sums exact, a few thousand of them keep every core busy. */
function chunksOf(x: Tensor): number {
  const rows = x.length / x.pitch;
  return Math.ceil(rows / Math.min(256, Math.max(16, Math.ceil(rows / 2048))));
}

function perChunk(
  entry: string,
  { C4, CHUNKS }: { C4: number; CHUNKS: number },
  tensors: Tensor[],
  used: Record<string, number>,
): Launch {
  const { grid } = elementwise(CHUNKS * C4);
  return { name: `batch_norm.${entry}`, wgsl, tensors, constants: { GROUP, ...used }, grid };
}

function geometry(x: Tensor, others: readonly Tensor[]) {
  const C = x.shape.at(-1)!;
  const wrong = others.find((t) => t.shape.at(-1) !== C || (t.shape.length > 2 && t.length !== x.length));
  if (wrong) {
    throw new RangeError(
      `Cannot build batch_norm: ${wrong.label} is [${wrong.shape}], input [${x.shape}] has ${C} channels`,
    );
  }
  return { C, C4: x.pitch / 4, ROWS: x.length / x.pitch, CHUNKS: chunksOf(x) };
}
