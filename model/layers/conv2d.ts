/**
 * Two-dimensional convolution as a layer.
 * @module
 */
import * as op from "../../engine/kernels/conv2d/conv2d.ts";
import { conv2dBackward, conv2dForward } from "../../engine/kernels/conv2d/reference.ts";
import {
  type Padding,
  type Pair,
  windowOf,
  windowOutput,
  windowText,
} from "../../engine/kernels/prelude/window.ts";
import { alignTo4, type Tensor } from "../../engine/tensor.ts";
import type { Activation, BuildContext, Built, Init, Layer, ParameterSpec } from "../layer.ts";

/** Options of `conv2d`, with PyTorch's meaning; one number, [height, width], or for the padding [top, left, bottom, right]. */
export interface Conv2dLayerOptions {
  /** Channels of the input. */
  readonly in: number;
  /** Channels of the output. */
  readonly out: number;
  /** Height and width of the window, in taps. */
  readonly kernel: Pair;
  /** Default 1. */
  readonly stride?: Pair;
  /** Zeros around the input; default 0. */
  readonly padding?: Padding;
  /** Default 1. */
  readonly dilation?: Pair;
  /** Default 1. */
  readonly groups?: number;
  /** Whether there is a bias; default true. */
  readonly bias?: boolean;
  /** First values of the weights; default He's by the fan-in. */
  readonly init?: "he" | "he-fan-out";
}

/** Two-dimensional convolution: [C, H, W] -> [out, H', W']. PyTorch's `Conv2d`. */
export function conv2d(options: Conv2dLayerOptions): Layer {
  const { in: inputs, out, kernel, stride = 1, padding = 0, dilation = 1, groups = 1, bias = true } = options;
  const window = windowOf("conv2d", { kernel, stride, padding, dilation });
  if (inputs % groups !== 0 || out % groups !== 0) {
    throw new RangeError(
      `Cannot build conv2d: ${inputs} and ${out} channels do not divide into ${groups} groups`,
    );
  }
  return {
    kind: "conv2d",
    options: {
      ...{ in: inputs, out, kernel, stride, padding, groups },
      ...dilation !== 1 && { dilation },
      ...!bias && { bias },
    },
    fusesRelu: true,
    featureMap: "makes",
    describe(input) {
      if (input.c !== inputs) {
        throw new RangeError(`Cannot build conv2d: input has ${input.c} channels, weights expect ${inputs}`);
      }
      const { oh, ow } = windowOutput(window, input.h, input.w);
      if (oh < 1 || ow < 1) {
        throw new RangeError(
          `Cannot build conv2d: input is ${input.h}x${input.w}, ${windowText(window)} need more`,
        );
      }
      const weight = convWeight(inputs, out, window.kernel, groups, options.init ?? "he");
      return { output: { c: out, h: oh, w: ow }, parameters: bias ? [weight, biasParameter(out)] : [weight] };
    },
    build: (context, x, relu) => {
      const part = (name: string) => context.parameter(name)[0]!;
      return buildProduct(context, x, relu, {
        weight: part("weight"),
        bias: bias ? part("bias") : undefined,
        dWeight: context.gradient("weight")?.[0],
        dBias: bias ? context.gradient("bias")?.[0] : undefined,
      }, { stride, padding, dilation, groups });
    },
    onnx: (graph, { name, x }) =>
      graph.add("Conv", name, [
        x,
        graph.parameter(`${name}.weight`),
        ...bias ? [graph.parameter(`${name}.bias`)] : [],
      ], {
        kernel_shape: window.kernel,
        strides: window.stride,
        pads: window.padding,
        ...window.dilation.some((d) => d > 1) && { dilations: window.dilation },
        group: groups,
      }),
    reference({ x, n, shape: { h, w, c }, parameter }) {
      const sizes = { n, h, w, c, o: out, groups, ...window };
      const weight = channelsLast(parameter("weight"), out);
      return {
        y: conv2dForward(x, weight, bias ? parameter("bias") : undefined, sizes),
        backward(dy) {
          const { dx, dWeight, dBias } = conv2dBackward(x, weight, dy, sizes);
          return { dx, gradients: { weight: channelsFirst(dWeight, out), ...bias && { bias: dBias } } };
        },
      };
    },
  };

  /** PyTorch's [O, I, KH, KW] as the loops' [KH, KW, I, O]. */
  function channelsLast(values: ArrayLike<number>, o: number): Float64Array {
    const taps = window.kernel[0] * window.kernel[1], i = inputs / groups;
    return Float64Array.from({ length: values.length }, (_, at) => {
      const k = at % o, channel = Math.floor(at / o) % i, tap = Math.floor(at / (o * i));
      return values[(k * i + channel) * taps + tap]!;
    });
  }

  /** The other way round. */
  function channelsFirst(values: ArrayLike<number>, o: number): Float64Array {
    const taps = window.kernel[0] * window.kernel[1], i = inputs / groups;
    return Float64Array.from({ length: values.length }, (_, at) => {
      const tap = at % taps, channel = Math.floor(at / taps) % i, k = Math.floor(at / (taps * i));
      return values[(tap * i + channel) * o + k]!;
    });
  }
}

/** Weight [out, in / groups, kh, kw], held on the device as [kh, kw, in, out]. */
function convWeight(
  inputs: number,
  out: number,
  [kh, kw]: readonly [number, number],
  groups: number,
  init: Init["kind"] & ("he" | "he-fan-out"),
): ParameterSpec {
  const perGroup = inputs / groups, outPerGroup = out / groups, area = kh * kw;
  const pitch = alignTo4(inputs);
  const indices = (first = 0, end = area * pitch) => {
    const index = new Int32Array((end - first) * out).fill(-1);
    for (let row = first, to = 0; row < end; row++, to += out) {
      const tap = Math.floor(row / pitch), i = row % pitch;
      if (i >= inputs) continue;
      const group = Math.floor(i / perGroup);
      for (let o = group * outPerGroup; o < (group + 1) * outPerGroup; o++) {
        index[to + o] = (o * perGroup + i - group * perGroup) * area + tap;
      }
    }
    return index;
  };
  return {
    name: "weight",
    shape: [out, perGroup, kh, kw],
    init: { kind: init, fanIn: perGroup * area, fanOut: outPerGroup * area },
    trained: true,
    parts: [{ shape: [kh, kw, pitch, out], indices }],
  };
}

/** A bias [out], zero at first. */
function biasParameter(out: number): ParameterSpec {
  const indices = () => Int32Array.from({ length: out }, (_, i) => i);
  return {
    name: "bias",
    shape: [out],
    init: { kind: "zeros" },
    trained: true,
    parts: [{ shape: [out], indices }],
  };
}

/** A product's parameters on the device, and where its gradients go. */
export interface ProductTensors {
  readonly weight: Tensor;
  readonly bias: Tensor | undefined;
  readonly dWeight: Tensor | undefined;
  readonly dBias: Tensor | undefined;
}

/** One convolution-shaped product in a plan: y = x * weight + bias and its gradients; also a part of a linear layer. */
export function buildProduct(
  { plan, accumulate }: BuildContext,
  { tensor: x, relu: mask }: Activation,
  relu: boolean,
  { weight, bias, dWeight, dBias }: ProductTensors,
  options: op.Conv2dOptions,
): Built {
  return {
    y: { tensor: op.forward(plan, { x, weight, bias, relu, ...options }), relu },
    trained: dWeight !== undefined,
    backward(dy, wantInput) {
      if (dWeight) op.weightGrad(plan, { x, dy, dWeight, dBias, accumulate, ...options });
      return wantInput ? op.inputGrad(plan, { dy, weight, x, mask, ...options }) : undefined;
    },
  };
}
