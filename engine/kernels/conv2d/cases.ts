/**
 * Convolution and linear layers: forward, input gradient and weight gradient on the matrix core.
 * @module
 */
import type { Gpu } from "../../device.ts";
import { alignTo4 } from "../../tensor.ts";
import type { Case } from "../../verify/case.ts";
import {
  type Arrangement,
  differentiableCase,
  type Operation,
  type Problem,
} from "../../verify/differentiable.ts";
import { normals, rectified } from "../../verify/sample.ts";
import { chooseTile, type TileChooser, type TileHost } from "../matmul/choose.ts";
import { splitsPerGroup } from "../matmul/product.ts";
import { type Pair, windowOf } from "../prelude/window.ts";
import * as conv2d from "./conv2d.ts";
import { conv2dBackward, conv2dForward, type Conv2dSizes } from "./reference.ts";

/** How the kernels are asked to work; none of it changes what they compute, save `relu` and `mask`. */
export interface Conv2dBuild extends conv2d.Conv2dOptions {
  /** ReLU fused into the forward pass. */
  readonly relu?: boolean;
  /** dx times (x > 0). */
  readonly mask?: boolean;
  /** Tiles as another adapter would get them. */
  readonly host?: (gpu: Gpu) => TileHost;
  /** Partial sums of the weight gradient for each workgroup, instead of the adapter's own choice. */
  readonly splits?: number;
}

/** The device's weight [KH, KW, C, O] with zeros between groups, from [KH, KW, C / groups, O]. */
export function denseWeight([kh, kw, perGroup, o]: readonly number[], groups: number): Arrangement {
  const c = perGroup! * groups;
  const shape = [kh!, kw!, alignTo4(c), o!];
  const indices = new Int32Array(kh! * kw! * alignTo4(c) * o!).fill(-1);
  for (let tap = 0; tap < kh! * kw!; tap++) {
    for (let i = 0; i < c; i++) {
      const group = Math.floor(i / perGroup!), width = o! / groups;
      for (let out = group * width; out < (group + 1) * width; out++) {
        indices[(tap * alignTo4(c) + i) * o! + out] = (tap * perGroup! + i % perGroup!) * o! + out;
      }
    }
  }
  return { shape, indices };
}

/** The kernels as an operation on x [N, H, W, C], weight [KH, KW, C / groups, O] and, unless left out, bias [O]. */
export function conv2dOperation(weightShape: readonly number[], options: Conv2dBuild): Operation {
  const { host, splits, relu = false, mask = false, ...window } = options;
  return {
    arranged: { weight: denseWeight(weightShape, options.groups ?? 1) },
    build(plan, { x, weight, bias }) {
      const tiles: TileChooser = (shape) => {
        const choice = chooseTile(host?.(plan.gpu) ?? plan.gpu, shape);
        return splits === undefined || shape.op !== "weight_grad"
          ? choice
          : { ...choice, splitK: splits * splitsPerGroup(choice.tile) };
      };
      const shared = { x: x!, weight: weight!, tiles, ...window };
      return {
        y: conv2d.forward(plan, { ...shared, bias, relu }),
        backward(dy) {
          const dx = conv2d.inputGrad(plan, { ...shared, dy, mask });
          const dWeight = plan.tensor(weight!.shape, "dWeight");
          const dBias = bias && plan.tensor(bias.shape, "dBias");
          conv2d.weightGrad(plan, { ...shared, dy, dWeight, dBias });
          return { x: dx, weight: dWeight, ...dBias && { bias: dBias } };
        },
      };
    },
  };
}

function problem(s: Conv2dSizes, { bias = true, ...options }: Conv2dBuild & { bias?: boolean }): Problem {
  const { n, h, w, c, o, kernel: [kh, kw], groups } = s;
  const x = normals(1, [n, h, w, c]);
  const inputs = {
    x: options.mask ? rectified(x) : x,
    weight: normals(2, [kh, kw, c / groups, o], 1 / Math.sqrt(kh * kw * c / groups)),
    ...bias && { bias: normals(3, [o]) },
  };
  const y = conv2dForward(inputs.x.data, inputs.weight.data, inputs.bias?.data, s);
  const dy = normals(4, [y.length]).data;
  const { dx, dWeight, dBias } = conv2dBackward(inputs.x.data, inputs.weight.data, dy, s);
  const expected = {
    y: options.relu ? y.map((v) => Math.max(v, 0)) : y,
    gradients: {
      x: options.mask ? dx.map((d, i) => inputs.x.data[i]! > 0 ? d : 0) : dx,
      weight: dWeight,
      ...bias && { bias: dBias },
    },
  };
  const operation = conv2dOperation(inputs.weight.shape, options);
  // A ReLU's kinks lie anywhere, so its slopes say nothing.
  const kinks = options.relu || options.mask;
  return { operation, inputs, dy, expected, ...(kinks ? { slopes: [] } : {}) };
}

function conv(
  [n, h, w, c]: readonly [number, number, number, number],
  o: number,
  kernel: Pair,
  sizes: conv2d.Conv2dOptions = {},
  options: Conv2dBuild & { bias?: boolean } = {},
  note = "",
): Case {
  const { stride = 1, padding = 0, dilation = 1, groups = 1 } = sizes;
  const window = windowOf("conv2d", { kernel, ...sizes });
  const name = `${n}x${h}x${w}x${c} -> ${o}, ${window.kernel.join("x")} stride ${stride} pad ${padding}` +
    (dilation === 1 ? "" : ` dilation ${dilation}`) + (groups > 1 ? ` groups ${groups}` : "") + note;
  const s = { n, h, w, c, o, groups, ...window };
  return differentiableCase("conv2d", name, () => problem(s, { ...sizes, ...options }));
}

function linear(
  n: number,
  inputs: number,
  outputs: number,
  options: Conv2dBuild = {},
  note = "",
): Case {
  const s = { n, h: 1, w: 1, c: inputs, o: outputs, groups: 1, ...windowOf("linear", { kernel: 1 }) };
  return differentiableCase("linear", `${n}x${inputs} -> ${outputs}${note}`, () => problem(s, options));
}

// Every core of the matrix product runs on every adapter that can run it, not only those that it would choose.
const inWorkgroups = { host: () => ({ kind: "discrete", subgroupSize: 0 } as const) };
const inSubgroups = { host: ({ subgroupSize }: Gpu) => ({ kind: "cpu", subgroupSize } as const) };

/** Cases of convolution. */
export const conv2dCases: readonly Case[] = [
  conv([1, 1, 1, 1], 1, 1),
  conv([2, 9, 7, 3], 4, 3, { stride: 2 }),
  conv([1, 37, 21, 50], 17, 3, { padding: 1 }),
  conv([5, 7, 9, 17], 19, 3, { stride: 2, padding: 1 }),
  conv([1, 35, 35, 3], 64, 11, { stride: 4, padding: 2 }, {}, ", AlexNet's first"),
  conv([2, 97, 97, 3], 16, 3, { stride: 2 }, {}, ", compact's first"),
  conv([3, 13, 11, 2], 5, 5, { padding: 2 }),
  conv([2, 10, 8, 3], 6, [2, 5], { stride: 3, padding: 1 }, {}, ", oblong"),
  conv([2, 11, 9, 3], 6, [3, 2], { stride: [3, 1], padding: [1, 0] }, {}, ", oblong in everything"),
  conv([2, 9, 8, 5], 6, 3, { padding: [0, 1, 2, 0] }, {}, ", unequal padding"),
  conv([2, 9, 8, 5], 7, 2, { padding: [0, 0, 1, 1] }, {}, ", padding after the input alone"),
  conv([2, 11, 13, 5], 7, 3, { dilation: 2, padding: 2 }),
  conv(
    [1, 15, 14, 6],
    5,
    3,
    { dilation: [2, 3], stride: [2, 3], padding: 1 },
    {},
    ", taps that share the stride",
  ),
  conv(
    [1, 17, 13, 4],
    6,
    [4, 3],
    { dilation: [2, 1], stride: [4, 3], padding: 2 },
    {},
    ", classes without a tap",
  ),
  conv([2, 9, 7, 5], 7, 3, { padding: 1 }, { bias: false }, ", no bias"),
  conv(
    [2, 9, 8, 5],
    6,
    3,
    { padding: [0, 1, 2, 0], stride: 2 },
    inWorkgroups,
    ", unequal padding, workgroup memory",
  ),
  conv(
    [1, 15, 14, 6],
    5,
    3,
    { dilation: 2, stride: 2, padding: 1 },
    inWorkgroups,
    ", dilation, workgroup memory",
  ),
  conv([2, 7, 6, 4], 8, 1, { stride: 3 }, {}, ", pixels that no window sees"),
  conv([2, 8, 5, 4], 6, 3, { padding: 1, groups: 2 }, {}, ", groups that cross vectors"),
  conv([2, 6, 7, 24], 40, 3, { padding: 1, groups: 2 }),
  conv([1, 5, 5, 9], 12, 3, { groups: 3 }, {}, ", odd groups"),
  conv([2, 6, 6, 8], 8, 3, { padding: 1, groups: 8 }, {}, ", depthwise"),
  conv([4, 56, 56, 16], 32, 3, { stride: 2 }, {}, ", large"),
  conv([2, 9, 7, 5], 7, 3, { stride: 2 }, { relu: true }, ", ReLU fused"),
  conv([2, 9, 7, 5], 7, 3, { stride: 2 }, { mask: true }, ", ReLU before"),
  conv([2, 11, 9, 6], 10, 3, { padding: 1 }, { splits: 7 }, ", seven partial sums"),
  conv([1, 35, 35, 3], 64, 11, { stride: 4, padding: 2 }, inWorkgroups, ", workgroup memory"),
  conv([2, 19, 17, 5], 50, 3, { stride: 2, padding: 1 }, inWorkgroups, ", workgroup memory"),
  conv(
    [2, 8, 5, 4],
    6,
    3,
    { padding: 1, groups: 2 },
    { ...inWorkgroups, relu: true, mask: true },
    ", ReLU, workgroup memory",
  ),
  conv([5, 7, 9, 17], 19, 3, { stride: 2, padding: 1 }, inSubgroups, ", subgroups"),
  conv([2, 8, 5, 4], 6, 3, { padding: 1, groups: 2 }, inSubgroups, ", subgroups"),
  conv([2, 3, 4, 64], 96, 3, { padding: 1, groups: 2 }, inSubgroups, ", whole tiles between groups"),
  conv([2, 3, 4, 256], 64, 1, { groups: 2 }, inWorkgroups, ", whole tiles between groups"),
  conv([1, 4, 5, 66], 68, 3, { padding: 1, groups: 2 }, inSubgroups, ", few rows"),
  conv([1, 7, 6, 64], 67, 3, { stride: 2 }, { ...inSubgroups, relu: true, mask: true }, ", ReLU, few rows"),
];

/** Cases of linear layers, which are 1x1 convolutions of 1x1 images. */
export const linearCases: readonly Case[] = [
  linear(1, 1, 1),
  linear(4, 7, 5),
  linear(9, 33, 17),
  linear(2, 130, 70),
  linear(37, 50, 21),
  linear(32, 1152, 64),
  linear(1, 70, 130),
  linear(11, 130, 134, inSubgroups, ", subgroups"),
  linear(3, 33, 1, inWorkgroups, ", workgroup memory"),
];
