/**
 * A network in plain loops and float64, NCHW, read off the layers' kinds and options: slow, obvious, and sharing no
 * code with the kernels.
 */
import { hash, Stream, uniform } from "../../engine/random.ts";
import type { Shape } from "../../model/layer.ts";
import type { Architecture } from "../../model/network.ts";

type Values = Float64Array;
type Options = Readonly<Record<string, number>>;
type Weights = (name: string) => ArrayLike<number>;

/** Training mode: batch statistics and dropout with the randomness of this seed and step. */
export interface Training {
  readonly seed: number;
  readonly step: number;
}

/** Logits [N, classes] of an NCHW input. `weights` are in PyTorch's order, by full name. */
export function plainLogits(
  architecture: Architecture,
  weights: ReadonlyMap<string, ArrayLike<number>>,
  input: ArrayLike<number>,
  training?: Training,
): Values {
  const { c, h, w } = architecture.input;
  const size = c * h * w;
  let shape: Shape = { c, h, w };
  let images: Values[] = Array.from(
    { length: input.length / size },
    (_, n) => Float64Array.from({ length: size }, (_, i) => input[n * size + i]!),
  );
  for (const [index, { name, layer }] of architecture.layers.entries()) {
    const options = layer.options as Options;
    const of: Weights = (parameter) => weights.get(`${name}.${parameter}`)!;
    if (layer.kind === "batch_norm") images = batchNorm(images, shape, options, of, training !== undefined);
    else if (layer.kind === "dropout") images = dropout(images, shape, options, index, training);
    else {
      const run = LAYERS[layer.kind];
      if (!run) throw new Error(`no plain loops for ${layer.kind}`);
      const results = images.map((x) => run(x, shape, options, of));
      images = results.map(([y]) => y);
      shape = results[0]![1];
    }
  }
  return Float64Array.from(images.flatMap((y) => [...y]));
}

/** Mean cross-entropy of logits [N, classes]. */
export function plainLoss(logits: ArrayLike<number>, labels: readonly number[]): number {
  const classes = logits.length / labels.length;
  const losses = labels.map((label, n) => {
    const row = Array.from({ length: classes }, (_, c) => logits[n * classes + c]!);
    const top = Math.max(...row);
    return Math.log(row.reduce((sum, v) => sum + Math.exp(v - top), 0)) - (row[label]! - top);
  });
  return losses.reduce((a, b) => a + b, 0) / labels.length;
}

type Run = (x: Values, shape: Shape, options: Options, weights: Weights) => [Values, Shape];

const LAYERS: Readonly<Record<string, Run>> = {
  conv2d,
  linear,
  relu: (x, shape) => [x.map((v) => Math.max(v, 0)), shape],
  flatten: (x, { c, h, w }) => [x, { c: c * h * w, h: 1, w: 1, flattened: { c, h, w } }],
  max_pool: (x, shape, { kernel, stride, padding }) =>
    windows(x, shape, kernel!, stride!, padding!, (values) => Math.max(...values)),
  adaptive_avg_pool: adaptiveAvgPool,
  local_response_norm: localResponseNorm,
};

function conv2d(x: Values, { c, h, w }: Shape, o: Options, weights: Weights): [Values, Shape] {
  const { out, kernel, stride, padding, groups } = o as Record<string, number> as {
    out: number;
    kernel: number;
    stride: number;
    padding: number;
    groups: number;
  };
  const weight = weights("weight"), bias = weights("bias");
  const oh = Math.floor((h + 2 * padding - kernel) / stride) + 1;
  const ow = Math.floor((w + 2 * padding - kernel) / stride) + 1;
  const y = new Float64Array(out * oh * ow), perGroup = c / groups, outPerGroup = out / groups;
  for (let o = 0, at = 0; o < out; o++) {
    const first = Math.floor(o / outPerGroup) * perGroup;
    for (let i = 0; i < oh; i++) {
      for (let j = 0; j < ow; j++, at++) {
        let sum = bias[o]!;
        for (let k = 0; k < perGroup; k++) {
          for (let a = 0; a < kernel; a++) {
            const row = i * stride - padding + a;
            if (row < 0 || row >= h) continue;
            for (let b = 0; b < kernel; b++) {
              const col = j * stride - padding + b;
              if (col < 0 || col >= w) continue;
              sum += x[((first + k) * h + row) * w + col]! *
                weight[((o * perGroup + k) * kernel + a) * kernel + b]!;
            }
          }
        }
        y[at] = sum;
      }
    }
  }
  return [y, { c: out, h: oh, w: ow }];
}

function linear(x: Values, _: Shape, { out }: Options, weights: Weights): [Values, Shape] {
  const weight = weights("weight"), bias = weights("bias");
  const y = new Float64Array(out!);
  for (let o = 0; o < y.length; o++) {
    let sum = bias[o]!;
    for (let i = 0; i < x.length; i++) sum += weight[o * x.length + i]! * x[i]!;
    y[o] = sum;
  }
  return [y, { c: y.length, h: 1, w: 1 }];
}

function windows(
  x: Values,
  { c, h, w }: Shape,
  kernel: number,
  stride: number,
  padding: number,
  reduce: (values: number[]) => number,
): [Values, Shape] {
  const oh = Math.floor((h + 2 * padding - kernel) / stride) + 1;
  const ow = Math.floor((w + 2 * padding - kernel) / stride) + 1;
  const y: number[] = [];
  for (let channel = 0; channel < c; channel++) {
    for (let i = 0; i < oh; i++) {
      for (let j = 0; j < ow; j++) {
        const [top, left] = [i * stride - padding, j * stride - padding];
        y.push(reduce(inside(x, channel, h, w, top, top + kernel, left, left + kernel)));
      }
    }
  }
  return [Float64Array.from(y), { c, h: oh, w: ow }];
}

function adaptiveAvgPool(x: Values, { c, h, w }: Shape, { size }: Options): [Values, Shape] {
  const y: number[] = [], n = size!;
  const first = (i: number, side: number) => Math.floor(i * side / n);
  const end = (i: number, side: number) => Math.ceil((i + 1) * side / n);
  for (let channel = 0; channel < c; channel++) {
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < n; j++) {
        const cells = inside(x, channel, h, w, first(i, h), end(i, h), first(j, w), end(j, w));
        y.push(cells.reduce((a, b) => a + b, 0) / cells.length);
      }
    }
  }
  return [Float64Array.from(y), { c, h: n, w: n }];
}

/** The cells of rows [top, bottom) and columns [left, right) that exist. */
function inside(
  x: Values,
  channel: number,
  h: number,
  w: number,
  top: number,
  bottom: number,
  left: number,
  right: number,
): number[] {
  const cells: number[] = [];
  for (let i = Math.max(top, 0); i < Math.min(bottom, h); i++) {
    for (let j = Math.max(left, 0); j < Math.min(right, w); j++) cells.push(x[(channel * h + i) * w + j]!);
  }
  return cells;
}

function localResponseNorm(x: Values, shape: Shape, o: Options): [Values, Shape] {
  const { size, alpha, beta, k } = o as { size: number; alpha: number; beta: number; k: number };
  const pixels = shape.h * shape.w;
  const y = x.map((value, at) => {
    const channel = Math.floor(at / pixels), pixel = at % pixels;
    let sum = 0;
    const first = channel - Math.floor(size / 2);
    for (let c = Math.max(first, 0); c < Math.min(first + size, shape.c); c++) {
      sum += x[c * pixels + pixel]! ** 2;
    }
    return value / (k + alpha / size * sum) ** beta;
  });
  return [y, shape];
}

function batchNorm(
  images: Values[],
  shape: Shape,
  { eps }: Options,
  weights: Weights,
  training: boolean,
): Values[] {
  const pixels = shape.h * shape.w, count = pixels * images.length;
  const [weight, bias, mean, variance] = ["weight", "bias", "running_mean", "running_var"].map((name) => [
    ...Array.from(weights(name)),
  ]);
  for (let c = 0; training && c < shape.c; c++) {
    const values = images.flatMap((x) => [...x.subarray(c * pixels, (c + 1) * pixels)]);
    mean![c] = values.reduce((a, b) => a + b, 0) / count;
    variance![c] = values.reduce((sum, v) => sum + (v - mean![c]!) ** 2, 0) / count;
  }
  return images.map((x) =>
    x.map((value, at) => {
      const c = Math.floor(at / pixels);
      return (value - mean![c]!) / Math.sqrt(variance![c]! + eps!) * weight![c]! + bias![c]!;
    })
  );
}

/** Elements are numbered as they lie in NHWC memory, where a flatten moves nothing and pads the channels to four. */
function dropout(
  images: Values[],
  shape: Shape,
  { rate }: Options,
  index: number,
  training?: Training,
): Values[] {
  if (!training || rate === 0) return images;
  const { h, w } = shape.flattened ?? shape;
  const channels = shape.flattened ? Math.ceil(shape.flattened.c / 4) * 4 : shape.c;
  const pixels = h * w, stream = hash(Stream.dropout, 0, index);
  return images.map((x, n) =>
    x.map((value, at) => {
      const element = (n * pixels + at % pixels) * channels + Math.floor(at / pixels);
      return uniform(training.seed, stream, element, training.step) >= rate! ? value / (1 - rate!) : 0;
    })
  );
}
