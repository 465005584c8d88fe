/** @module */
import { elementwise, type Launch } from "../../kernel.ts";
import type { Tensor } from "../../tensor.ts";
import wgsl from "./batch_norm.wgsl" with { type: "text" };

const GROUP = 64;

/** Shape of the scratch tensor `partials` for an input [..., C]: two sums for each run of rows. */
export function batchNormPartials(x: Tensor): [number, number, number] {
  return [runsOf(x), 2, x.shape.at(-1)!];
}

/** Short runs keep float32 sums exact, a few thousand of them keep every core busy. */
function runsOf(x: Tensor): number {
  const rows = x.length / x.pitch;
  return Math.ceil(rows / Math.min(256, Math.max(16, Math.ceil(rows / 2048))));
}

/**
 * statistics [2, C] = mean and 1 / sqrt(biased variance + eps) of x [..., C] over all but the last dimension, and the
 * running statistics [C] moved by `momentum` towards them (variance unbiased), as PyTorch's `BatchNorm2d` in training.
 */
export function batchNormStatistics(
  x: Tensor,
  partials: Tensor,
  statistics: Tensor,
  running: { readonly mean: Tensor; readonly variance: Tensor },
  options: { eps: number; momentum: number },
): Launch[] {
  const sizes = geometry(x, [statistics, running.mean, running.variance]);
  if (sizes.ROWS < 2) {
    throw new RangeError(
      `Cannot build batch_norm: input [${x.shape}] has 1 value per channel, training needs at least 2`,
    );
  }
  const { C4, ROWS, RUNS } = sizes;
  return [
    perRun("run_statistics", sizes, [x, partials], { C4, ROWS, RUNS }),
    {
      name: "batch_norm.merge_statistics",
      wgsl,
      tensors: [partials, statistics, running.mean, running.variance],
      constants: { ...sizes, GROUP, EPS: options.eps, MOMENTUM: options.momentum },
      grid: [C4, 1, 1],
    },
  ];
}

/** statistics [2, C] = running mean and 1 / sqrt(running variance + eps), for inference. */
export function batchNormRunning(
  running: { readonly mean: Tensor; readonly variance: Tensor },
  statistics: Tensor,
  options: { eps: number },
): Launch {
  const { shape: [C], pitch } = running.mean;
  const { grid, constants: { GROUP } } = elementwise(pitch / 4);
  return {
    name: "batch_norm.use_running",
    wgsl,
    tensors: [running.mean, running.variance, statistics],
    constants: { GROUP, C: C!, C4: pitch / 4, EPS: options.eps },
    grid,
  };
}

/** y = (x - mean) invstd weight + bias with weight and bias [C], then ReLU if `relu`. */
export function batchNormForward(
  x: Tensor,
  statistics: Tensor,
  weight: Tensor,
  bias: Tensor,
  y: Tensor,
  options: { relu?: boolean } = {},
): Launch {
  const sizes = geometry(x, [statistics, weight, bias, y]);
  const { C4, ROWS, RUNS } = sizes;
  return perRun("normalise", sizes, [x, statistics, weight, bias, y], {
    C4,
    ROWS,
    RUNS,
    RELU: options.relu ? 1 : 0,
  });
}

/** Tensors of the backward pass: x, dy and dx are [..., C]. */
export interface BatchNormGradients {
  readonly x: Tensor;
  readonly dy: Tensor;
  /** [2, C], of the forward pass. */
  readonly statistics: Tensor;
  readonly weight: Tensor;
  /** Scratch of shape `batchNormPartials(x)`. */
  readonly partials: Tensor;
  /** Scratch [2, C]. */
  readonly sums: Tensor;
  readonly dWeight: Tensor;
  readonly dBias: Tensor;
  /** Left out where nobody wants the gradient of x. */
  readonly dx?: Tensor | undefined;
}

/**
 * dWeight, dBias (added to what is there with `accumulate`) and dx (times (x > 0) with `mask`). `training`: the statistics
 * are x's own and depend on it.
 */
export function batchNormBackward(
  t: BatchNormGradients,
  options: { training: boolean; mask?: boolean; accumulate?: boolean },
): Launch[] {
  const { x, dy, statistics, weight, partials, sums, dWeight, dBias, dx } = t;
  const sizes = geometry(x, [statistics, weight, sums, dWeight, dBias, dy, ...(dx ? [dx] : [])]);
  const { C4, ROWS, RUNS } = sizes;
  const launches: Launch[] = [
    perRun("run_gradients", sizes, [x, statistics, dy, partials], { C4, ROWS, RUNS }),
    {
      name: "batch_norm.merge_gradients",
      wgsl,
      tensors: [partials, sums, dWeight, dBias],
      constants: { C4, RUNS, GROUP, ACCUMULATE: options.accumulate ? 1 : 0 },
      grid: [C4, 1, 1],
    },
  ];
  if (dx) {
    launches.push(perRun("input_gradient", sizes, [x, statistics, dy, weight, sums, dx], {
      C4,
      ROWS,
      RUNS,
      TRAINING: options.training ? 1 : 0,
      MASK: options.mask ? 1 : 0,
    }));
  }
  return launches;
}

function perRun(
  entry: string,
  { C4, RUNS }: { C4: number; RUNS: number },
  tensors: Tensor[],
  used: Record<string, number>,
): Launch {
  const { grid, constants: { GROUP } } = elementwise(RUNS * C4);
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
  return { C, C4: x.pitch / 4, ROWS: x.length / x.pitch, RUNS: runsOf(x) };
}
