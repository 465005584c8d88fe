/** @module */
import {
  conv2dForward,
  conv2dInputGrad,
  conv2dWeightGrad,
  convOutput,
  productShape,
} from "../../engine/kernels/conv2d/conv2d.ts";
import { sumSplits } from "../../engine/kernels/sum_splits/sum_splits.ts";
import { colSumsPerSplit } from "../../engine/kernels/matmul/tile.ts";
import { chooseSplits, chooseTile } from "../../engine/kernels/matmul/tile_table.ts";
import { padded, type Tensor } from "../../engine/tensor.ts";
import type { Activation, Layer, ParameterSpec, Shape, Step } from "../layer.ts";

/** Options of `conv2d`. */
export interface Conv2dLayerOptions {
  readonly in: number;
  readonly out: number;
  readonly kernel: number;
  /** Default 1. */
  readonly stride?: number;
  /** Zeros around the input; default 0. */
  readonly padding?: number;
  /** Default 1. */
  readonly groups?: number;
}

/** Two-dimensional convolution with bias: [C, H, W] -> [out, H', W']. PyTorch's `Conv2d`. */
export function conv2d(options: Conv2dLayerOptions): Layer {
  const { in: inputs, out, kernel, stride = 1, padding = 0, groups = 1 } = options;
  return {
    kind: "conv2d",
    options: { in: inputs, out, kernel, stride, padding, groups },
    fusesRelu: true,
    describe(input: Shape) {
      if (input.c !== inputs) {
        throw new RangeError(`Cannot build conv2d: input has ${input.c} channels, weights expect ${inputs}`);
      }
      const h = convOutput(input.h, kernel, stride, padding),
        w = convOutput(input.w, kernel, stride, padding);
      if (h < 1 || w < 1) {
        throw new RangeError(
          `Cannot build conv2d: input is ${input.h}x${input.w}, a ${kernel}x${kernel} window with padding ${padding} needs more`,
        );
      }
      return { output: { c: out, h, w }, parameters: convParameters(inputs, out, kernel, groups) };
    },
    build: (step, x, relu) => buildConv(step, x, relu, "weight", "bias", { stride, padding, groups }),
  };
}

/** Weight [out, in / groups, k, k] and bias [out], held on the device as [k, k, in, out] and [out]. */
export function convParameters(inputs: number, out: number, kernel: number, groups: number): ParameterSpec[] {
  const perGroup = inputs / groups, outPerGroup = out / groups, area = kernel * kernel;
  const device = [kernel, kernel, padded(inputs), out];
  const indices = () => {
    const index = new Int32Array(area * padded(inputs) * out).fill(-1);
    for (let tap = 0; tap < area; tap++) {
      for (let i = 0; i < inputs; i++) {
        const group = Math.floor(i / perGroup);
        for (let o = group * outPerGroup; o < (group + 1) * outPerGroup; o++) {
          index[(tap * padded(inputs) + i) * out + o] = (o * perGroup + i - group * perGroup) * area + tap;
        }
      }
    }
    return index;
  };
  const fanIn = perGroup * area, fanOut = outPerGroup * area;
  return [
    {
      name: "weight",
      shape: [out, perGroup, kernel, kernel],
      init: { kind: "he", fanIn, fanOut },
      trained: true,
      parts: [{ shape: device, indices }],
    },
    biasParameter(out),
  ];
}

/** A bias [out], zero at first. */
export function biasParameter(out: number): ParameterSpec {
  return {
    name: "bias",
    shape: [out],
    init: { kind: "zeros" },
    trained: true,
    parts: [{ shape: [out], indices: () => Int32Array.from({ length: out }, (_, i) => i) }],
  };
}

/** Forward and backward launches of a convolution whose parameters are one part each. */
function buildConv(
  step: Step,
  x: Activation,
  relu: boolean,
  weightName: string,
  biasName: string,
  options: { stride: number; padding: number; groups: number },
) {
  const weight = step.parameter(weightName)[0]!, bias = step.parameter(biasName)[0]!;
  const dWeight = step.gradient(weightName)?.[0], dBias = step.gradient(biasName)?.[0];
  return buildProduct(step, x, relu, { weight, bias, dWeight, dBias }, options);
}

/** One convolution-shaped product in a plan: y = x * weight + bias and its two gradients. */
export function buildProduct(
  step: Step,
  x: Activation,
  relu: boolean,
  p: { weight: Tensor; bias: Tensor; dWeight: Tensor | undefined; dBias: Tensor | undefined },
  options: { stride: number; padding: number; groups: number },
) {
  const { plan, gpu } = step;
  const [n, h, w] = x.tensor.shape as [number, number, number, number];
  const [kh, kw, , out] = p.weight.shape as [number, number, number, number];
  const oh = convOutput(h, kh, options.stride, options.padding);
  const ow = convOutput(w, kw, options.stride, options.padding);
  const y = plan.tensor([n, oh, ow, out]);
  const tile = chooseTile(gpu, productShape("forward", x.tensor, p.weight, y, options.stride));
  plan.add(conv2dForward(x.tensor, p.weight, p.bias, y, { ...options, relu, tile }));
  return {
    y: { tensor: y, relu },
    backward(dy: Tensor, wantInput: boolean) {
      if (p.dWeight && p.dBias) {
        addWeightGrad(step, x.tensor, dy, p.dWeight, p.dBias, options);
      }
      if (!wantInput) return undefined;
      const dx = plan.tensor(x.tensor.shape);
      const tile = chooseTile(gpu, productShape("input_grad", dx, p.weight, dy, options.stride));
      plan.add(conv2dInputGrad(dy, p.weight, x.tensor, dx, { ...options, mask: x.relu, tile }));
      return dx;
    },
  };
}

function addWeightGrad(
  step: Step,
  x: Tensor,
  dy: Tensor,
  dWeight: Tensor,
  dBias: Tensor,
  options: { stride: number; padding: number; groups: number },
): void {
  const { plan, gpu } = step;
  const out = dWeight.shape[3]!;
  const shape = productShape("weight_grad", x, dWeight, dy, options.stride);
  const tile = chooseTile(gpu, shape);
  const splits = chooseSplits(gpu, shape, tile);
  const partialBias = plan.tensor([splits * colSumsPerSplit(tile), out]);
  // With one split and nothing to add to, the product writes the gradient itself.
  const direct = splits === 1 && !step.accumulate;
  const partial = direct
    ? { ...dWeight, shape: [1, ...dWeight.shape] }
    : plan.tensor([splits, ...dWeight.shape]);
  plan.add(conv2dWeightGrad(x, dy, partial, partialBias, { ...options, tile }));
  if (!direct) plan.add(sumSplits(partial, dWeight, { accumulate: step.accumulate }));
  plan.add(sumSplits(partialBias, dBias, { accumulate: step.accumulate }));
}
