/**
 * A whole network forward and backward in float64, put together from the plain-loop references. It reads the layers'
 * kinds and options and shares no code with the engine.
 * @module
 */
import type { Architecture } from "./network.ts";
import { conv2dBackward, conv2dForward, conv2dOutput } from "../engine/kernels/conv2d/reference.ts";
import {
  batchNormBackward,
  batchNormForward,
  batchStatistics,
} from "../engine/kernels/batch_norm/reference.ts";
import { linearBackward, linearForward } from "./layers/linear_reference.ts";
import { maxPoolBackward, maxPoolForward } from "../engine/kernels/max_pool/reference.ts";
import { reluBackward, reluForward } from "../engine/kernels/relu/reference.ts";
import { softmaxCrossEntropy } from "../engine/kernels/softmax_cross_entropy/reference.ts";

/** Values by a parameter's full name, in the references' order: see `toPlain`. */
export type PlainParameters = ReadonlyMap<string, ArrayLike<number>>;

/** Height, width and channels of one image's activation. */
interface Extent {
  readonly h: number;
  readonly w: number;
  readonly c: number;
}

/** What one training step of the whole network computes. */
export interface PlainStep {
  readonly logits: Float64Array;
  readonly loss: number;
  readonly gradients: Map<string, Float64Array>;
  /** How close the nearest ReLU or pooling came to deciding otherwise; float32 decides alike if this is well above its error. */
  readonly margin: number;
}

interface LayerRun {
  readonly y: ArrayLike<number>;
  readonly extent: Extent;
  readonly margin?: number;
  backward(dy: ArrayLike<number>): { dx: ArrayLike<number>; gradients?: Record<string, Float64Array> };
}

type Options = Readonly<Record<string, number>>;
type LayerOf = (
  x: ArrayLike<number>,
  n: number,
  extent: Extent,
  options: Options,
  get: (name: string) => ArrayLike<number>,
) => LayerRun;

/** Mean cross-entropy and its gradient by every parameter for images [N, H, W, C] in training mode. */
export function plainStep(
  architecture: Architecture,
  parameters: PlainParameters,
  images: ArrayLike<number>,
  labels: ArrayLike<number>,
): PlainStep {
  const n = labels.length;
  let extent: Extent = architecture.input, x = images, margin = Infinity;
  const runs = architecture.layers.map(({ name, layer }) => {
    const run = Object.hasOwn(LAYERS, layer.kind) ? LAYERS[layer.kind] : undefined;
    if (!run) throw new RangeError(`Cannot compute ${name}: no plain loops for ${layer.kind}`);
    const get = (parameter: string) => parameters.get(`${name}.${parameter}`)!;
    const done = run(x, n, extent, layer.options as Options, get);
    ({ y: x, extent } = done);
    margin = Math.min(margin, done.margin ?? Infinity);
    return { name, ...done };
  });
  const { loss, dLogits } = softmaxCrossEntropy(x, extent.c, { labels });
  const gradients = new Map<string, Float64Array>();
  let dy: ArrayLike<number> = dLogits;
  for (const { name, backward } of runs.reverse()) {
    const { dx, gradients: own = {} } = backward(dy);
    for (const [parameter, gradient] of Object.entries(own)) gradients.set(`${name}.${parameter}`, gradient);
    dy = dx;
  }
  return { logits: Float64Array.from(x), loss, gradients, margin };
}

const LAYERS: Readonly<Record<string, LayerOf>> = {
  conv2d(x, n, { h, w, c }, { out, kernel, stride, padding, groups }, get) {
    const s = {
      n,
      h,
      w,
      c,
      o: out!,
      kh: kernel!,
      kw: kernel!,
      stride: stride!,
      padding: padding!,
      groups: groups!,
    };
    const { oh, ow } = conv2dOutput(s), weight = get("weight");
    return {
      y: conv2dForward(x, weight, get("bias"), s),
      extent: { h: oh, w: ow, c: out! },
      backward(dy) {
        const { dx, dWeight, dBias } = conv2dBackward(x, weight, dy, s);
        return { dx, gradients: { weight: dWeight, bias: dBias } };
      },
    };
  },
  linear(x, n, { c }, { out }, get) {
    const sizes = { n, inputs: c, outputs: out! }, weight = get("weight");
    return {
      y: linearForward(x, weight, get("bias"), sizes),
      extent: { h: 1, w: 1, c: out! },
      backward(dy) {
        const { dx, dWeight, dBias } = linearBackward(x, weight, dy, sizes);
        return { dx, gradients: { weight: dWeight, bias: dBias } };
      },
    };
  },
  relu(x, _n, extent) {
    let margin = Infinity;
    for (let i = 0; i < x.length; i++) margin = Math.min(margin, Math.abs(x[i]!));
    return { y: reluForward(x), extent, margin, backward: (dy) => ({ dx: reluBackward(x, dy) }) };
  },
  max_pool(x, n, { h, w, c }, { kernel, stride, padding }) {
    const sizes = { n, h, w, c, kernel: kernel!, stride: stride!, padding: padding! };
    const { y, from } = maxPoolForward(x, sizes);
    // Second-best values: those of the same pooling without the best.
    const rest = Float64Array.from(x);
    from.forEach((at) => rest[at] = -Infinity);
    const second = maxPoolForward(rest, sizes).y;
    const margin = y.reduce((least, v, i) => v > 0 ? Math.min(least, v - second[i]!) : least, Infinity);
    const extent = {
      h: Math.floor((h + 2 * padding! - kernel!) / stride!) + 1,
      w: Math.floor((w + 2 * padding! - kernel!) / stride!) + 1,
      c,
    };
    return { y, extent, margin, backward: (dy) => ({ dx: maxPoolBackward(x, dy, sizes) }) };
  },
  batch_norm(x, _n, extent, { eps }, get) {
    const statistics = batchStatistics(x, extent.c), weight = get("weight");
    return {
      y: batchNormForward(x, weight, get("bias"), statistics, eps!),
      extent,
      backward(dy) {
        const { dx, dWeight, dBias } = batchNormBackward(x, weight, dy, statistics, eps!, true);
        return { dx, gradients: { weight: dWeight, bias: dBias } };
      },
    };
  },
  flatten: (x, _n, { h, w, c }) => ({
    y: x,
    extent: { h: 1, w: 1, c: h * w * c },
    backward: (dy) => ({ dx: dy }),
  }),
};

/**
 * Parameters (or their gradients) from PyTorch's order to the references': convolutions [KH, KW, C, O], linear layers
 * [inputs, O] with the inputs of a flattened image as [H, W, C] instead of [C, H, W].
 */
export function toPlain(
  architecture: Architecture,
  parameters: ReadonlyMap<string, ArrayLike<number>>,
): Map<string, Float64Array> {
  const plain = new Map<string, Float64Array>();
  let shape = architecture.input, flattened = shape;
  for (const { name, layer } of architecture.layers) {
    const description = layer.describe(shape, Infinity);
    if (layer.kind === "flatten") flattened = shape;
    for (const { name: parameter, shape: size } of description.parameters) {
      const full = `${name}.${parameter}`, values = parameters.get(full);
      if (!values) continue;
      const [out, inputs, kh = 1, kw = 1] = size as [number, number, number?, number?];
      if (size.length === 1) plain.set(full, Float64Array.from(values));
      else if (layer.kind === "conv2d") plain.set(full, transposed(values, out, inputs, kh * kw));
      else plain.set(full, fromChannelsFirst(values, out, inputs, flattened));
    }
    shape = description.output;
    if (layer.kind === "linear") flattened = shape;
  }
  return plain;
}

/** [O, I, taps] -> [taps, I, O]. */
function transposed(values: ArrayLike<number>, out: number, inputs: number, taps: number): Float64Array {
  return Float64Array.from({ length: values.length }, (_, at) => {
    const o = at % out, i = Math.floor(at / out) % inputs, tap = Math.floor(at / (out * inputs));
    return values[(o * inputs + i) * taps + tap]!;
  });
}

/** [O, C * H * W] -> [H * W * C, O]. */
function fromChannelsFirst(
  values: ArrayLike<number>,
  out: number,
  inputs: number,
  { c, h, w }: Extent,
): Float64Array {
  return Float64Array.from({ length: values.length }, (_, at) => {
    const o = at % out, i = Math.floor(at / out);
    return values[o * inputs + (i % c) * h * w + Math.floor(i / c)]!;
  });
}
