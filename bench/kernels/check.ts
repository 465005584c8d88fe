/**
 * Compares a layer's results with the float64 references of `verify/`. Layers of real networks are too large for plain loops,
 * so a sample is compared, all of it exact: some channels of products, some images of the rest.
 * @module
 */
import { hash, Stream, uniform } from "../../engine/random.ts";
import type { Layer, Shape } from "../../model/layer.ts";
import { type Check, compare } from "../../engine/verify/case.ts";
import {
  adaptiveAvgPoolBackward,
  adaptiveAvgPoolForward,
} from "../../engine/kernels/adaptive_avg_pool/reference.ts";
import {
  batchNormBackward,
  batchNormForward,
  batchStatistics,
} from "../../engine/kernels/batch_norm/reference.ts";
import { dropout } from "../../engine/kernels/dropout/reference.ts";
import {
  responseNormBackward,
  responseNormForward,
} from "../../engine/kernels/local_response_norm/reference.ts";
import { maxPoolBackward, maxPoolForward } from "../../engine/kernels/max_pool/reference.ts";
import { checkProduct } from "./check_product.ts";

/** A layer in its place. */
export interface PlacedLayer {
  readonly name: string;
  readonly layer: Layer;
  readonly input: Shape;
  readonly output: Shape;
  /** Its input is a ReLU's output, so its input gradient is masked. */
  readonly reluBefore: boolean;
  /** The ReLU after it is computed in the same launch. */
  readonly reluAfter: boolean;
  /** False for the network's first layer, whose input needs no gradient. */
  readonly wantInput: boolean;
}

/** What went into a layer and what came out: channels last, without padding; parameters in PyTorch's order. */
export interface LayerValues {
  readonly x: Float32Array;
  readonly dy: Float32Array;
  readonly y: Float32Array;
  readonly dx: Float32Array | undefined;
  readonly parameters: ReadonlyMap<string, Float32Array>;
  readonly gradients: ReadonlyMap<string, Float32Array>;
}

/** What dropout's mask depends on here. */
export const DROPOUT = { seed: 5, layer: 3 } as const;

/** Compares; throws for a kind of layer that has no reference. */
export function checkLayer(item: PlacedLayer, batch: number, values: LayerValues): Check[] {
  switch (item.layer.kind) {
    case "conv2d":
    case "linear":
      return checkProduct(item, batch, values);
    case "batch_norm":
      return checkBatchNorm(item, values);
    default:
      return checkImage(item, batch, values);
  }
}

/** Layers that treat every image alone: the last image. */
function checkImage(
  { layer, input, output, reluBefore, reluAfter }: PlacedLayer,
  batch: number,
  v: LayerValues,
): Check[] {
  const from = (batch - 1) * size(input),
    x = v.x.subarray(from),
    dy = v.dy.subarray((batch - 1) * size(output));
  const expected = referenceOf(layer, input, from)(x, dy);
  const y = reluAfter ? expected.y.map((value) => Math.max(value, 0)) : expected.y;
  const checks = [compare("y", v.y.subarray((batch - 1) * size(output)), y)];
  if (v.dx) checks.push(compare("dx", v.dx.subarray(from), masked(expected.dx, x, reluBefore)));
  return checks;
}

type Reference = (x: Float32Array, dy: Float32Array) => { y: Float64Array; dx: Float64Array };

/** The reference for one image whose first value is number `first` of the batch. */
function referenceOf(layer: Layer, { c, h, w }: Shape, first: number): Reference {
  const options = layer.options as Record<string, number>;
  switch (layer.kind) {
    case "relu":
      return (x, dy) => ({
        y: Float64Array.from(x, (value) => Math.max(value, 0)),
        dx: Float64Array.from(dy, (d, i) => x[i]! > 0 ? d : 0),
      });
    case "max_pool": {
      const { kernel, stride, padding } = options as { kernel: number; stride: number; padding: number };
      const sizes = { n: 1, h, w, c, kernel, stride, padding };
      return (x, dy) => ({ y: maxPoolForward(x, sizes).y, dx: maxPoolBackward(x, dy, sizes) });
    }
    case "adaptive_avg_pool": {
      const { size } = options as { size: number };
      const sizes = { n: 1, h, w, c, oh: size, ow: size };
      return (x, dy) => ({ y: adaptiveAvgPoolForward(x, sizes), dx: adaptiveAvgPoolBackward(dy, sizes) });
    }
    case "local_response_norm": {
      const { size = 5, alpha = 1e-4, beta = 0.75, k = 1 } = options;
      const norm = { size, alpha, beta, k };
      return (x, dy) => ({ y: responseNormForward(x, c, norm), dx: responseNormBackward(x, dy, c, norm) });
    }
    case "dropout": {
      const stream = hash(Stream.dropout, 0, DROPOUT.layer);
      const drop = (values: Float32Array) =>
        dropout(values, options.rate!, (i) => uniform(DROPOUT.seed, stream, first + i, 0));
      return (x, dy) => ({ y: drop(x), dx: drop(dy) });
    }
    default:
      throw new RangeError(`Cannot check ${layer.kind}: it has no reference here`);
  }
}

/** Statistics span the batch, so all images of the first and the last channel. */
function checkBatchNorm({ layer, input, reluBefore, reluAfter }: PlacedLayer, v: LayerValues): Check[] {
  const chosen = [...new Set([0, input.c - 1])];
  const pick = (values: ArrayLike<number>) => {
    const out = new Float32Array(values.length / input.c * chosen.length);
    for (let i = 0; i < out.length; i++) {
      out[i] = values[Math.floor(i / chosen.length) * input.c + chosen[i % chosen.length]!]!;
    }
    return out;
  };
  const x = pick(v.x),
    dy = pick(v.dy),
    weight = pick(v.parameters.get("weight")!),
    bias = pick(v.parameters.get("bias")!);
  const eps = layer.options.eps as number, statistics = batchStatistics(x, chosen.length);
  const y = batchNormForward(x, weight, bias, statistics, eps);
  const { dx, dWeight, dBias } = batchNormBackward(x, weight, dy, statistics, eps, true);
  return [
    compare("y", pick(v.y), reluAfter ? y.map((value) => Math.max(value, 0)) : y),
    ...v.dx ? [compare("dx", pick(v.dx), masked(dx, x, reluBefore))] : [],
    compare("dweight", pick(v.gradients.get("weight")!), dWeight),
    compare("dbias", pick(v.gradients.get("bias")!), dBias),
  ];
}

/** dx times (x > 0) for an x that is a ReLU's output. */
export function masked(dx: Float64Array, x: ArrayLike<number>, relu: boolean): Float64Array {
  return relu ? dx.map((d, i) => x[i]! > 0 ? d : 0) : dx;
}

function size({ c, h, w }: Shape): number {
  return c * h * w;
}
