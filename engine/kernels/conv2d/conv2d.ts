/**
 * Two-dimensional convolution as three products on the matrix core, no im2col buffer. A linear layer is the same
 * with a 1x1 kernel on 1x1 images.
 * @module
 */
import type { Launch } from "../../kernel.ts";
import { padded, type Tensor } from "../../tensor.ts";
import type { ProductShape } from "../matmul/tiles.ts";
import forwardWgsl from "./conv2d_forward.wgsl" with { type: "text" };
import inputGradWgsl from "./conv2d_input_grad.wgsl" with { type: "text" };
import weightGradWgsl from "./conv2d_weight_grad.wgsl" with { type: "text" };
import {
  colsPerGroup,
  type ProductForm,
  productSource,
  rowsPerGroup,
  splitsPerGroup,
  type Tile,
} from "../matmul/tile.ts";

/** Source of the three products, without a core; whoever stores what was measured with them compares it. */
export const PRODUCT_SOURCES: Readonly<Record<ProductShape["op"], string>> = {
  forward: forwardWgsl,
  input_grad: inputGradWgsl,
  weight_grad: weightGradWgsl,
};

/** How each product's loads are laid out, for an input of so many channels. */
export function productForm(op: ProductShape["op"], channels: number): ProductForm {
  const depth = Math.min(4, channels);
  if (op === "forward") return { rowVector: "k", colVector: "cols", depth };
  if (op === "input_grad") return { rowVector: "k", colVector: "k" };
  return { rowVector: "rows", colVector: "cols", rowDepth: depth, colSums: true };
}

/** Hyper-parameters of a convolution; the sizes come from the tensors. */
export interface Conv2dOptions {
  /** Pixels between neighbouring windows, at least 1; default 1. */
  readonly stride?: number;
  /** Zeros around the input on every side; default 0. */
  readonly padding?: number;
  /** Groups of channels that do not see each other; default 1. */
  readonly groups?: number;
}

/** Output height or width: floor((size + 2 padding - kernel) / stride) + 1. */
export function convOutput(size: number, kernel: number, stride: number, padding: number): number {
  return Math.floor((size + 2 * padding - kernel) / stride) + 1;
}

/** The sizes of a convolution's product, from x [N, H, W, C], weight [KH, KW, C, O] and y [N, OH, OW, O]. */
export function productShape(
  op: ProductShape["op"],
  x: Pick<Tensor, "shape">,
  weight: Pick<Tensor, "shape">,
  y: Pick<Tensor, "shape">,
  stride: number,
): ProductShape {
  const [n, h, w, c] = x.shape as [number, number, number, number];
  const [kh, kw, , o] = weight.shape as [number, number, number, number];
  const [, oh, ow] = y.shape as [number, number, number, number];
  const taps = kh * kw, channels = padded(c), pixels = n * oh * ow;
  if (op === "forward") return { op, rows: pixels, cols: o, depth: taps * channels };
  if (op === "weight_grad") return { op, rows: taps * channels, cols: o, depth: pixels };
  return { op, rows: n * Math.ceil(h / stride) * Math.ceil(w / stride), cols: channels, depth: taps * o };
}

/**
 * y [N, OH, OW, O] = x [N, H, W, C] convolved with weight [KH, KW, C, O], plus bias [O], then ReLU if `relu`.
 * With groups the weight is dense and zero where input and output channel are of different groups.
 */
export function conv2dForward(
  x: Tensor,
  weight: Tensor,
  bias: Tensor,
  y: Tensor,
  options: Conv2dOptions & { relu?: boolean; tile: Tile },
): Launch {
  const g = geometry("conv2d.forward", x, weight, y, options);
  const { tile } = options;
  return {
    name: "conv2d_forward.main",
    wgsl: productSource(forwardWgsl, tile, productForm("forward", x.shape[3]!)),
    tensors: [x, weight, bias, y],
    constants: { ...g, RELU: options.relu ? 1 : 0 },
    grid: [rowGroups(g.N * g.OH * g.OW, tile), colGroups(y, tile), 1],
  };
}

/**
 * dx [N, H, W, C] of the loss, from dy [N, OH, OW, O]; multiplied by (x > 0) if `mask`, for an x that is
 * a ReLU's output.
 */
export function conv2dInputGrad(
  dy: Tensor,
  weight: Tensor,
  x: Tensor,
  dx: Tensor,
  options: Conv2dOptions & { mask?: boolean; tile: Tile },
): Launch {
  const g = geometry("conv2d.input_grad", dx, weight, dy, options);
  const { tile } = options;
  const perClass = g.N * Math.ceil(g.H / g.STRIDE) * Math.ceil(g.W / g.STRIDE);
  return {
    name: "conv2d_input_grad.main",
    wgsl: productSource(inputGradWgsl, tile, productForm("input_grad", dx.shape[3]!)),
    tensors: [dy, weight, x, dx],
    constants: { ...g, MASK: options.mask ? 1 : 0 },
    grid: [rowGroups(perClass, tile), colGroups(dx, tile), g.STRIDE ** 2],
  };
}

/**
 * Partial sums of dWeight [S, KH, KW, C, O] and dBias [S * colSumsPerSplit(tile), O]: the first dimension is to be summed
 * (`sumSplits`). S is read off `partialWeight`, a multiple of `splitsPerGroup(tile)`.
 */
export function conv2dWeightGrad(
  x: Tensor,
  dy: Tensor,
  partialWeight: Tensor,
  partialBias: Tensor,
  options: Conv2dOptions & { tile: Tile },
): Launch {
  const [splits, ...kernel] = partialWeight.shape;
  const weight = { ...partialWeight, shape: kernel };
  const g = geometry("conv2d.weight_grad", x, weight, dy, options);
  const { RELU: _, ...constants } = { ...g, RELU: 0 };
  const { tile } = options;
  return {
    name: "conv2d_weight_grad.main",
    wgsl: productSource(weightGradWgsl, tile, productForm("weight_grad", x.shape[3]!)),
    tensors: [x, dy, partialWeight, partialBias],
    constants: { ...constants, SPLITS: splits! },
    grid: [rowGroups(g.KH * g.KW * g.C4 * 4, tile), colGroups(dy, tile), splits! / splitsPerGroup(tile)],
  };
}

function rowGroups(rows: number, tile: Tile): number {
  return Math.ceil(rows / rowsPerGroup(tile));
}

function colGroups({ pitch }: Tensor, tile: Tile): number {
  return Math.ceil(pitch / colsPerGroup(tile));
}

function geometry(op: string, x: Tensor, weight: Tensor, y: Tensor, options: Conv2dOptions) {
  const { stride = 1, padding = 0, groups = 1 } = options;
  const [N, H, W, C] = x.shape as [number, number, number, number];
  const [KH, KW, WC, O] = weight.shape as [number, number, number, number];
  const [YN, OH, OW, YO] = y.shape as [number, number, number, number];
  if (x.shape.length !== 4 || weight.shape.length !== 4 || y.shape.length !== 4) {
    throw new RangeError(
      `Cannot build ${op}: shapes are [${x.shape}], [${weight.shape}], [${y.shape}], wanted four dimensions each`,
    );
  }
  if (padded(C) !== padded(WC)) {
    throw new RangeError(`Cannot build ${op}: input has ${C} channels, weights expect ${WC}`);
  }
  if (C % groups !== 0 || O % groups !== 0) {
    throw new RangeError(`Cannot build ${op}: ${C} and ${O} channels do not divide into ${groups} groups`);
  }
  const oh = convOutput(H, KH, stride, padding), ow = convOutput(W, KW, stride, padding);
  if (YN !== N || YO !== O || OH !== oh || OW !== ow || oh < 1 || ow < 1) {
    throw new RangeError(
      `Cannot build ${op}: output is [${y.shape}], ${KH}x${KW} windows with stride ${stride} and padding ${padding} ` +
        `on [${x.shape}] give [${N},${oh},${ow},${O}]`,
    );
  }
  const C4 = padded(C) / 4, O4 = padded(O) / 4;
  return {
    N,
    H,
    W,
    C4,
    OH,
    OW,
    O4,
    KH,
    KW,
    STRIDE: stride,
    PAD: padding,
    C_GROUP: groups === 1 ? C4 * 4 : C / groups,
    O_GROUP: groups === 1 ? O4 * 4 : O / groups,
  };
}
