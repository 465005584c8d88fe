/** @module */
import { addInto, putColumns, takeColumns } from "../../engine/kernels/columns/columns.ts";
import { padded, type Tensor } from "../../engine/tensor.ts";
import type { Built, Layer, ParameterSpec, Shape } from "../layer.ts";
import { buildProduct } from "./conv2d.ts";

/** Options of `linear`. */
export interface LinearLayerOptions {
  readonly in: number;
  readonly out: number;
}

/**
 * y = x W^T + b: [in] -> [out]. PyTorch's `Linear`. On the device the weight is [1, 1, in, out]; one larger than
 * a storage binding (fc6 of AlexNet is 144 MiB) is split by output features.
 */
export function linear({ in: inputs, out }: LinearLayerOptions): Layer {
  return {
    kind: "linear",
    options: { in: inputs, out },
    fusesRelu: true,
    describe(input, maxPartBytes) {
      if (input.h !== 1 || input.w !== 1 || input.c !== inputs) {
        throw new RangeError(
          `Cannot build linear: input is [${input.c}, ${input.h}, ${input.w}], weights expect ${inputs} features`,
        );
      }
      const parameters = linearParameters(inputs, out, input, maxPartBytes);
      return { output: { c: out, h: 1, w: 1 }, parameters };
    },
    build(step, x, relu) {
      const weights = step.parameter("weight"), biases = step.parameter("bias");
      const dWeights = step.gradient("weight"), dBiases = step.gradient("bias");
      const parts: Built[] = weights.map((weight, i) =>
        buildProduct(step, x, relu, {
          weight,
          bias: biases[i]!,
          dWeight: dWeights?.[i],
          dBias: dBiases?.[i],
        }, { stride: 1, padding: 0, groups: 1 })
      );
      if (parts.length === 1) return parts[0]!;
      const { plan } = step;
      const y = plan.tensor([step.batch, 1, 1, out]);
      const first: number[] = [];
      let at = 0;
      for (const { y: part } of parts) {
        plan.add(putColumns(part.tensor, y, at));
        first.push(at);
        at += part.tensor.shape[3]!;
      }
      return {
        y: { tensor: y, relu },
        backward(dy: Tensor, wantInput: boolean) {
          let dx: Tensor | undefined;
          parts.forEach((part, i) => {
            const dPart = plan.tensor(part.y.tensor.shape);
            plan.add(takeColumns(dy, dPart, first[i]!));
            const share = part.backward(dPart, wantInput);
            if (dx && share) plan.add(addInto(share, dx));
            dx ??= share;
          });
          return dx;
        },
      };
    },
  };
}

function linearParameters(inputs: number, out: number, input: Shape, maxPartBytes: number): ParameterSpec[] {
  const { c, h, w } = input.flattened ?? { c: inputs, h: 1, w: 1 };
  const rows = h * w * padded(c);
  const partOut = splitOutputs(rows, out, maxPartBytes);
  const starts = Array.from({ length: Math.ceil(out / partOut) }, (_, i) => i * partOut);
  const weightPart = (start: number) => {
    const width = Math.min(partOut, out - start);
    return {
      shape: [1, 1, rows, width],
      indices: () => {
        const index = new Int32Array(rows * width).fill(-1);
        for (let pixel = 0; pixel < h * w; pixel++) {
          for (let i = 0; i < c; i++) {
            const from = (pixel * padded(c) + i) * width;
            for (let o = 0; o < width; o++) index[from + o] = (start + o) * inputs + i * h * w + pixel;
          }
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
  const parts = Math.ceil(rows * padded(out) * 4 / maxPartBytes);
  if (parts === 1) return out;
  const width = Math.floor(maxPartBytes / (rows * 4 * 32)) * 32;
  if (width < 32) {
    throw new RangeError(`Cannot build linear: 32 columns of ${rows} rows exceed ${maxPartBytes} bytes`);
  }
  return Math.min(width, Math.ceil(out / parts / 32) * 32);
}
