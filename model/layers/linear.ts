/**
 * The linear layer.
 * @module
 */
import { accumulate } from "../../engine/kernels/add/add.ts";
import { put, take } from "../../engine/kernels/columns/columns.ts";
import { alignTo4, type Tensor } from "../../engine/tensor.ts";
import type { Layer, ParameterSpec, Shape } from "../layer.ts";
import { buildProduct } from "./conv2d.ts";

/** Options of `linear`. */
export interface LinearLayerOptions {
  /** Features of the input. */
  readonly in: number;
  /** Features of the output. */
  readonly out: number;
  /** Whether there is a bias; default true. */
  readonly bias?: boolean;
}

/**
 * y = x W^T + b: [in] -> [out]. PyTorch's `Linear`. On the device the weight is [1, 1, in, out]; one larger than
 * a storage binding (fc6 of AlexNet is 144 MiB) is split by output features.
 */
export function linear({ in: inputs, out, bias = true }: LinearLayerOptions): Layer {
  return {
    kind: "linear",
    options: { in: inputs, out, ...!bias && { bias } },
    fusesRelu: true,
    describe(input, maxPartBytes) {
      if (input.h !== 1 || input.w !== 1 || input.c !== inputs) {
        throw new RangeError(
          `Cannot build linear: input is [${input.c}, ${input.h}, ${input.w}], weights expect ${inputs} features`,
        );
      }
      const parameters = linearParameters(inputs, out, input, maxPartBytes).slice(0, bias ? 2 : 1);
      return { output: { c: out, h: 1, w: 1 }, parameters };
    },
    build(context, x, relu) {
      const { plan } = context;
      const biases = bias ? context.parameter("bias") : undefined;
      const dWeights = context.gradient("weight"), dBiases = bias ? context.gradient("bias") : undefined;
      const parts = context.parameter("weight").map((weight, i) =>
        buildProduct(context, x, relu, {
          ...{ weight, bias: biases?.[i], dWeight: dWeights?.[i], dBias: dBiases?.[i] },
        }, {})
      );
      if (parts.length === 1) return parts[0]!;
      const y = plan.tensor([context.batch, 1, 1, out]);
      let end = 0;
      const placed = parts.map((part) => {
        const first = end, narrow = part.y.tensor;
        put(plan, { wide: y, narrow, first });
        end += narrow.shape[3]!;
        return { part, first, shape: narrow.shape };
      });
      return {
        y: { tensor: y, relu },
        trained: parts.some((part) => part.trained),
        backward(dy: Tensor, wantInput: boolean) {
          let dx: Tensor | undefined;
          for (const { part, first, shape } of placed) {
            const narrow = plan.tensor(shape);
            take(plan, { wide: dy, narrow, first });
            const share = part.backward(narrow, wantInput);
            if (dx && share) accumulate(plan, { x: share, y: dx });
            dx ??= share;
          }
          return dx;
        },
      };
    },
    onnx: (graph, { name, x }) =>
      graph.add("Gemm", name, [
        x,
        graph.parameter(`${name}.weight`),
        ...bias ? [graph.parameter(`${name}.bias`)] : [],
      ], { transB: 1 }),
    reference({ x, n, shape, parameter }) {
      // The order of memory is [H, W, C], that of PyTorch's weights [C, H, W].
      const { c, h, w } = shape.flattened ?? { c: inputs, h: 1, w: 1 };
      const place = (i: number) => (i % c) * h * w + Math.floor(i / c);
      const weight = parameter("weight"), b = bias ? parameter("bias") : undefined;
      const ordered = new Float64Array(n * inputs);
      for (let i = 0; i < ordered.length; i++) ordered[i - i % inputs + place(i % inputs)] = x[i]!;
      const y = new Float64Array(n * out);
      for (let row = 0; row < n; row++) {
        for (let o = 0; o < out; o++) {
          let sum = b?.[o] ?? 0;
          for (let i = 0; i < inputs; i++) sum += weight[o * inputs + i]! * ordered[row * inputs + i]!;
          y[row * out + o] = sum;
        }
      }
      return {
        y,
        backward(dy) {
          const dOrdered = new Float64Array(n * inputs), dWeight = new Float64Array(out * inputs);
          const dBias = new Float64Array(out);
          for (let row = 0; row < n; row++) {
            for (let o = 0; o < out; o++) {
              const d = dy[row * out + o]!;
              dBias[o]! += d;
              for (let i = 0; i < inputs; i++) {
                dOrdered[row * inputs + i]! += d * weight[o * inputs + i]!;
                dWeight[o * inputs + i]! += d * ordered[row * inputs + i]!;
              }
            }
          }
          const dx = dOrdered.map((_, i) => dOrdered[i - i % inputs + place(i % inputs)]!);
          return { dx, gradients: { weight: dWeight, ...bias && { bias: dBias } } };
        },
      };
    },
  };
}
function linearParameters(inputs: number, out: number, input: Shape, maxPartBytes: number): ParameterSpec[] {
  const { c, h, w } = input.flattened ?? { c: inputs, h: 1, w: 1 };
  const rows = h * w * alignTo4(c);
  const partOut = splitOutputs(rows, out, maxPartBytes);
  const starts = Array.from({ length: Math.ceil(out / partOut) }, (_, i) => i * partOut);
  const weightPart = (start: number) => {
    const width = Math.min(partOut, out - start);
    return {
      shape: [1, 1, rows, width],
      indices: (first = 0, end = rows) => {
        const index = new Int32Array((end - first) * width).fill(-1);
        for (let row = first, to = 0; row < end; row++, to += width) {
          const pixel = Math.floor(row / alignTo4(c)), i = row % alignTo4(c);
          if (i >= c) continue;
          for (let o = 0; o < width; o++) index[to + o] = (start + o) * inputs + i * h * w + pixel;
        }
        return index;
      },
    };
  };
  const biasPart = (start: number) => {
    const width = Math.min(partOut, out - start);
    return { shape: [width], indices: () => Int32Array.from({ length: width }, (_, o) => start + o) };
  };
  return [
    {
      name: "weight",
      shape: [out, inputs],
      init: { kind: "he", fanIn: inputs, fanOut: out },
      trained: true,
      parts: starts.map(weightPart),
    },
    { name: "bias", shape: [out], init: { kind: "zeros" }, trained: true, parts: starts.map(biasPart) },
  ];
}

/** Outputs of one part: as few parts as fit the limit, each a multiple of 32 wide. */
function splitOutputs(rows: number, out: number, maxPartBytes: number): number {
  const parts = Math.ceil(rows * alignTo4(out) * 4 / maxPartBytes);
  if (parts === 1) return out;
  const width = Math.floor(maxPartBytes / (rows * 4 * 32)) * 32;
  if (width < 32) {
    throw new RangeError(`Cannot build linear: 32 columns of ${rows} rows exceed ${maxPartBytes} bytes`);
  }
  return Math.min(width, Math.ceil(out / parts / 32) * 32);
}
