/**
 * Two-dimensional convolution as three products on the matrix core (implicit GEMM: no im2col buffer). A linear layer is the same
 * with a 1x1 kernel on 1x1 images. Each function hides tiles, split-K, scratch tensors and summing; `tiles` overrides the choice.
 * @module
 */
import type { Plan } from "../../plan.ts";
import { alignTo4, type Tensor } from "../../tensor.ts";
import { chooseTile, type TileChooser } from "../matmul/choose.ts";
import {
  blockM,
  blockN,
  colSumsPerSplit,
  operandsOf,
  productSource,
  splitsPerGroup,
} from "../matmul/product.ts";
import { type ProductShape, reportProduct, type Tile, type TileChoice } from "../matmul/tiles.ts";
import {
  reachesOver,
  type Window,
  windowConstants,
  windowOf,
  type WindowOptions,
  windowOutput,
  windowText,
} from "../prelude/window.ts";
import { sum } from "../sum_splits/sum_splits.ts";
import forwardWgsl from "./conv2d_forward.wgsl" with { type: "text" };
import inputGradWgsl from "./conv2d_input_grad.wgsl" with { type: "text" };
import weightGradWgsl from "./conv2d_weight_grad.wgsl" with { type: "text" };

/** Source of the three products, without a core; whoever stores what was measured with them compares it. */
export const PRODUCT_SOURCES: Readonly<Record<ProductShape["op"], string>> = {
  forward: forwardWgsl,
  input_grad: inputGradWgsl,
  weight_grad: weightGradWgsl,
};

/** How a convolution moves over its input; the kernel's size comes from the weight. */
export interface Conv2dOptions extends Omit<WindowOptions, "kernel" | "ceilMode"> {
  /** Groups of channels that do not see each other; default 1. */
  readonly groups?: number | undefined;
}

/** What decides how a product is cut up, for benches and tuning; default: the adapter's own choice. */
interface TileOption {
  readonly tiles?: TileChooser | undefined;
}

/** Height and width of the output for x [N, H, W, C] and weight [KH, KW, C, O]; below 1 where no window fits. */
export function outputSize(
  { shape: [, h, w] }: Pick<Tensor, "shape">,
  weight: Pick<Tensor, "shape">,
  options: Conv2dOptions,
): { oh: number; ow: number } {
  return windowOutput(windowFor(weight, options), h!, w!);
}

/** Inputs of the forward pass. */
export interface ForwardInputs extends Conv2dOptions, TileOption {
  /** [N, H, W, C]. */
  readonly x: Tensor;
  /** [KH, KW, C, O]; with groups it is dense, and zero where input and output channel are of different groups. */
  readonly weight: Tensor;
  /** [O]; left out: none is added. */
  readonly bias?: Tensor | undefined;
  /** Follow with max(., 0). */
  readonly relu?: boolean;
}

/** Records y [N, OH, OW, O] = x convolved with weight, plus bias, then ReLU if `relu`; returns y. */
export function forward(plan: Plan, inputs: ForwardInputs): Tensor {
  const { x, weight, relu = false } = inputs;
  const { oh, ow } = outputSize(x, weight, inputs);
  const out = weight.shape[3]!;
  const { constants: g, m } = geometry("forward", x, weight, [x.shape[0]!, oh, ow, out], inputs);
  const { OH, OW, KH, KW, C4 } = g;
  const y = plan.tensor([x.shape[0]!, OH, OW, out]);
  const bias = inputs.bias ?? plan.tensor([out], "no bias");
  const shape: ProductShape = { op: "forward", m, n: out, k: KH * KW * C4 * 4 };
  const record = (to: Plan, y: Tensor, { tile }: TileChoice) =>
    to.add({
      name: "conv2d_forward.main",
      wgsl: productSource(forwardWgsl, tile, operandsOf("forward", x.shape[3]!)),
      tensors: [x, weight, bias, y],
      constants: { ...g, RELU: relu ? 1 : 0 },
      grid: [Math.ceil(m / blockM(tile)), Math.ceil(y.pitch / blockN(tile)), 1],
    });
  recordProduct(plan, shape, inputs, [y.shape], (to, [y], choice) => record(to, y!, choice), [y]);
  return y;
}

/** Inputs of the gradient by x. */
export interface InputGradInputs extends Conv2dOptions, TileOption {
  /** [N, OH, OW, O]. */
  readonly dy: Tensor;
  /** [KH, KW, C, O]. */
  readonly weight: Tensor;
  /** [N, H, W, C]. */
  readonly x: Tensor;
  /** x is a ReLU's output: multiply by (x > 0). */
  readonly mask?: boolean;
}

/** Records dx [N, H, W, C] of the loss; returns dx. */
export function inputGrad(plan: Plan, inputs: InputGradInputs): Tensor {
  const { dy, weight, x, mask = false } = inputs;
  const { constants: g, stride, dilation } = geometry("input_grad", x, weight, dy.shape, inputs);
  const dx = plan.tensor(x.shape);
  // Input pixels with the same remainder by the stride share their taps: each such class is a layer of the grid.
  const perClass = g.N * Math.ceil(g.H / stride[0]) * Math.ceil(g.W / stride[1]);
  const taps = (axis: 0 | 1) => {
    const common = gcd(stride[axis], dilation[axis]);
    return { step: stride[axis] / common, out: dilation[axis] / common };
  };
  const h = taps(0), w = taps(1);
  const { OVER: _, ...sizes } = g;
  const constants = {
    ...sizes,
    TAP_STEP_H: h.step,
    TAP_STEP_W: w.step,
    OUT_STEP_H: h.out,
    OUT_STEP_W: w.out,
    MASK: mask ? 1 : 0,
  };
  const shape: ProductShape = {
    op: "input_grad",
    m: perClass,
    n: g.C4 * 4,
    k: g.KH * g.KW * weight.shape[3]!,
  };
  recordProduct(plan, shape, inputs, [x.shape], (to, [dx], { tile }) =>
    to.add({
      name: "conv2d_input_grad.main",
      wgsl: productSource(inputGradWgsl, tile, operandsOf("input_grad", x.shape[3]!)),
      tensors: [dy, weight, x, dx!],
      constants,
      grid: [Math.ceil(perClass / blockM(tile)), Math.ceil(dx!.pitch / blockN(tile)), stride[0] * stride[1]],
    }), [dx]);
  return dx;
}

/** Inputs of the gradients by weight and bias. */
export interface WeightGradInputs extends Conv2dOptions, TileOption {
  /** [N, H, W, C]. */
  readonly x: Tensor;
  /** [N, OH, OW, O]. */
  readonly dy: Tensor;
  /** Receives the weight's gradient [KH, KW, C, O]. */
  readonly dWeight: Tensor;
  /** Receives the bias's gradient [O]; left out: it is not wanted. */
  readonly dBias?: Tensor | undefined;
  /** Add to what is there instead of replacing it; default false. */
  readonly accumulate?: boolean;
}

/** Records dWeight and dBias: partial products over parts of the pixels, then their sums in a fixed order. */
export function weightGrad(plan: Plan, inputs: WeightGradInputs): void {
  const { x, dy, dWeight, dBias, accumulate = false } = inputs;
  const { constants: g, m: pixels } = geometry("weight_grad", x, dWeight, dy.shape, inputs);
  const rows = g.KH * g.KW * g.C4 * 4, out = dWeight.shape[3]!;
  const shape: ProductShape = { op: "weight_grad", m: rows, n: out, k: pixels };
  const record = (to: Plan, dWeight: Tensor, dBias: Tensor | undefined, { tile, splitK = 1 }: TileChoice) => {
    requireSplits(splitK, tile);
    const partialBias = to.tensor([splitK * colSumsPerSplit(tile), out]);
    // With one split and nothing to add to, the product writes the gradient itself.
    const direct = splitK === 1 && !accumulate;
    const partial = direct ? dWeight.reshape([1, ...dWeight.shape]) : to.tensor([splitK, ...dWeight.shape]);
    to.add({
      name: "conv2d_weight_grad.main",
      wgsl: productSource(weightGradWgsl, tile, operandsOf("weight_grad", x.shape[3]!)),
      tensors: [x, dy, partial, partialBias],
      constants: { ...g, SPLIT_K: splitK },
      grid: [
        Math.ceil(rows / blockM(tile)),
        Math.ceil(dy.pitch / blockN(tile)),
        splitK / splitsPerGroup(tile),
      ],
    });
    if (!direct) sum(to, { parts: partial, y: dWeight, accumulate });
    if (dBias) sum(to, { parts: partialBias, y: dBias, accumulate });
  };
  const shapes = dBias ? [dWeight.shape, dBias.shape] : [dWeight.shape];
  recordProduct(
    plan,
    shape,
    inputs,
    shapes,
    (to, [dWeight, dBias], choice) => record(to, dWeight!, dBias, choice),
    [
      dWeight,
      ...dBias ? [dBias] : [],
    ],
  );
}

/** Records a product with the tile that was chosen for it, and tells whoever watches the plan how to do it with another. */
function recordProduct(
  plan: Plan,
  shape: ProductShape,
  { tiles }: TileOption,
  outputs: readonly (readonly number[])[],
  record: (to: Plan, outputs: readonly Tensor[], choice: TileChoice) => void,
  own: readonly Tensor[],
): void {
  const choice = tiles?.(shape) ?? chooseTile(plan.gpu, shape);
  const first = plan.launches.length;
  record(plan, own, choice);
  reportProduct(plan, {
    shape,
    choice,
    first,
    record(to, choice) {
      const fresh = outputs.map((shape) => to.tensor(shape));
      record(to, fresh, choice);
      return fresh;
    },
  });
}

function requireSplits(splitK: number, tile: Tile): void {
  if (splitK % splitsPerGroup(tile) !== 0) {
    throw new RangeError(
      `Cannot build conv2d.weight_grad: ${splitK} partial sums, wanted a multiple of ${splitsPerGroup(tile)}`,
    );
  }
}

function windowFor({ shape: [kh, kw] }: Pick<Tensor, "shape">, options: Conv2dOptions): Window {
  const { stride, padding, dilation } = options;
  return windowOf("conv2d", { kernel: [kh!, kw!], stride, padding, dilation });
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}

/** Checks the shapes; the sizes as overrides, and the number of output pixels of the batch. */
function geometry(op: string, x: Tensor, weight: Tensor, y: readonly number[], options: Conv2dOptions) {
  const { groups = 1 } = options;
  const [N, H, W, C] = x.shape as [number, number, number, number];
  const [, , WC, O] = weight.shape as [number, number, number, number];
  const [YN, OH, OW, YO] = y as [number, number, number, number];
  if (x.shape.length !== 4 || weight.shape.length !== 4 || y.length !== 4) {
    throw new RangeError(
      `Cannot build conv2d.${op}: shapes are [${x.shape}], [${weight.shape}], [${y}], wanted four dimensions each`,
    );
  }
  if (alignTo4(C) !== alignTo4(WC)) {
    throw new RangeError(`Cannot build conv2d.${op}: input has ${C} channels, weights expect ${WC}`);
  }
  if (C % groups !== 0 || O % groups !== 0) {
    throw new RangeError(
      `Cannot build conv2d.${op}: ${C} and ${O} channels do not divide into ${groups} groups`,
    );
  }
  const window = windowFor(weight, options);
  const { oh, ow } = windowOutput(window, H, W);
  if (YN !== N || YO !== O || OH !== oh || OW !== ow || oh < 1 || ow < 1) {
    throw new RangeError(
      `Cannot build conv2d.${op}: output is [${y}], ${
        windowText(window)
      } on [${x.shape}] give [${N},${oh},${ow},${O}]`,
    );
  }
  const C4 = alignTo4(C) / 4, O4 = alignTo4(O) / 4;
  const [KH, KW] = window.kernel;
  const constants = {
    N,
    H,
    W,
    C4,
    OH,
    OW,
    O4,
    ...windowConstants(window),
    KH,
    KW,
    OVER: reachesOver(window, [H, W, OH, OW]) ? 1 : 0,
    C_GROUP: groups === 1 ? C4 * 4 : C / groups,
    O_GROUP: groups === 1 ? O4 * 4 : O / groups,
  };
  return { constants, m: N * OH * OW, stride: window.stride, dilation: window.dilation };
}
