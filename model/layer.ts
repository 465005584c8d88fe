/**
 * What a layer is: a plain description that can say its shapes and parameters without a GPU, and record its
 * launches into a plan.
 * @module
 */
import type { Gpu } from "../engine/gpu.ts";
import type { Plan } from "../engine/plan.ts";
import { padded, type Tensor } from "../engine/tensor.ts";

/** Shape of one image's activation. */
export interface Shape {
  readonly c: number;
  readonly h: number;
  readonly w: number;
  /** Set on a flattened activation (h = w = 1, c = the product): the shape that was flattened. */
  readonly flattened?: { readonly c: number; readonly h: number; readonly w: number };
}

/** How a parameter's first values are drawn; `zeros` and `ones` are constants. */
export type Init =
  | { readonly kind: "he" | "xavier"; readonly fanIn: number; readonly fanOut: number }
  | { readonly kind: "normal"; readonly std: number }
  | { readonly kind: "zeros" | "ones" };

/** One device tensor of a parameter and how values travel between PyTorch's order and the device's. */
export interface ParameterPart {
  /** Shape on the device. */
  readonly shape: readonly number[];
  /** For each element of the part in order, its index in PyTorch's order, or -1 for a zero. */
  readonly indices: () => Int32Array;
}

/** A parameter (or running statistic) of a layer. */
export interface ParameterSpec {
  /** Name within the layer: `weight`, `bias`, `running_mean` … */
  readonly name: string;
  /** PyTorch's shape. */
  readonly shape: readonly number[];
  readonly init: Init;
  /** False for running statistics, which no gradient updates. */
  readonly trained: boolean;
  readonly parts: readonly ParameterPart[];
}

/** An activation in a plan. */
export interface Activation {
  /** [N, H, W, C]. */
  readonly tensor: Tensor;
  /**
   * The tensor is a ReLU's output and whoever computes its gradient multiplies it by (tensor > 0). So the mask
   * costs no launch of its own.
   */
  readonly relu: boolean;
}

/** What `build` may use. */
export interface Step {
  readonly gpu: Gpu;
  readonly plan: Plan;
  readonly batch: number;
  /** Whether a backward pass follows: dropout on, batch statistics. */
  readonly training: boolean;
  /** Add to the gradients that are there instead of replacing them. */
  readonly accumulate: boolean;
  /** (seed, step, 0, 0) as u32 for counter-based randomness. */
  readonly random: Tensor | undefined;
  /** Number that is this layer's own in the network, to separate random streams. */
  readonly index: number;
  /** Device tensors of one of the layer's parameters. */
  parameter(name: string): readonly Tensor[];
  /** Where its gradients go; undefined when it is frozen or in inference. */
  gradient(name: string): readonly Tensor[] | undefined;
}

/** What `build` gives back. */
export interface Built {
  readonly y: Activation;
  /**
   * Records the backward launches. `dy` is the gradient of y (masked already if `y.relu`). Returns the gradient
   * of x, or undefined if `wantInput` is false.
   */
  backward(dy: Tensor, wantInput: boolean): Tensor | undefined;
}

/** Shapes and parameters of a layer on a given input. */
export interface Description {
  readonly output: Shape;
  readonly parameters: readonly ParameterSpec[];
}

/** A layer: its kind and options are plain data (exporters read them); it holds no tensor. */
export interface Layer {
  /** The field's name of the operation, e.g. `conv2d`. */
  readonly kind: string;
  readonly options: Readonly<Record<string, number | string | boolean | readonly number[]>>;
  /** Whether a ReLU right after it can be computed in the same launch. */
  readonly fusesRelu: boolean;
  /** Throws a `RangeError` in one sentence when the input does not fit. `maxPartBytes` bounds one device tensor. */
  describe(input: Shape, maxPartBytes: number): Description;
  /** Records the forward launches. `relu`: followed by a ReLU (only if `fusesRelu`). */
  build(step: Step, x: Activation, relu: boolean): Built;
}

/** Scalars in one image's activation. */
export function sizeOf({ c, h, w }: Shape): number {
  return c * h * w;
}

/** Device shape of an activation of `batch` images. */
export function deviceShape(batch: number, shape: Shape): [number, number, number, number] {
  const f = shape.flattened;
  return f ? [batch, 1, 1, f.h * f.w * padded(f.c)] : [batch, shape.h, shape.w, shape.c];
}
