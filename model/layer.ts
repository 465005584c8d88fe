/**
 * What a layer is: a plain description that can say its shapes and parameters without a GPU, and record its launches into a plan.
 * A layer answers everything that others ask of it (ONNX node, plain-loop reference), so nothing else switches over its kind.
 * @module
 */
import type { Gpu } from "../engine/device.ts";
import type { Plan } from "../engine/plan.ts";
import { alignTo4, type Tensor } from "../engine/tensor.ts";

/** Shape of one image's activation. */
export interface Shape {
  /** Channels. */
  readonly c: number;
  /** Height in pixels. */
  readonly h: number;
  /** Width in pixels. */
  readonly w: number;
  /** Set on a flattened activation (h = w = 1, c = the product): the shape that was flattened. */
  readonly flattened?: { readonly c: number; readonly h: number; readonly w: number };
}

/** How a parameter's first values are drawn; `zeros` and `ones` are constants. */
export type Init =
  | { readonly kind: "he" | "he-fan-out" | "xavier"; readonly fanIn: number; readonly fanOut: number }
  | { readonly kind: "normal"; readonly std: number }
  | { readonly kind: "zeros" | "ones" };

/** One device tensor of a parameter and how values travel between PyTorch's order and the device's. */
export interface ParameterPart {
  /** Shape on the device. */
  readonly shape: readonly number[];
  /**
   * For each element of the part in order, its index in PyTorch's order, or -1 for a zero; of rows (along the last dimension) `first` up
   * to `end` alone where these are given.
   */
  readonly indices: (first?: number, end?: number) => Int32Array;
}

/** A parameter (or running statistic) of a layer. */
export interface ParameterSpec {
  /** Name within the layer: `weight`, `bias`, `running_mean` …; in a container with the children's names before it. */
  readonly name: string;
  /** PyTorch's shape. */
  readonly shape: readonly number[];
  /** How its first values are drawn. */
  readonly init: Init;
  /** False for running statistics, which no gradient updates. */
  readonly trained: boolean;
  /** The tensors that hold it on the device. */
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

/** Where batches' own statistics go when a step has several batches, whose running statistics move once all are there. */
export interface StatisticsKeeper {
  /** The tensor that gets the batch's own statistic; `momentum` is its share in `running`, which will move by it later. */
  keep(running: Tensor, momentum: number): Tensor;
}

/** What `build` may use. */
export interface BuildContext {
  /** The device. */
  readonly gpu: Gpu;
  /** Where to record. */
  readonly plan: Plan;
  /** Images in one pass. */
  readonly batch: number;
  /** Whether a backward pass follows: dropout on, batch statistics. */
  readonly training: boolean;
  /** Add to the gradients that are there instead of replacing them. */
  readonly accumulate: boolean;
  /** (seed, step, 0, 0) for counter-based randomness. */
  readonly random: Tensor<"u32"> | undefined;
  /** Takes a batch's own statistics, where running ones are not to move with it. */
  readonly statistics: StatisticsKeeper | undefined;
  /** Number that is this layer's own in the network, to separate random streams. */
  readonly index: number;
  /** Device tensors of one of the layer's parameters. */
  parameter(name: string): readonly Tensor[];
  /** Where its gradients go; undefined when it is frozen or in inference. */
  gradient(name: string): readonly Tensor[] | undefined;
  /** Builds a child of a container; its launches become a section of the plan. `relu` as for `Layer.build`. */
  child(child: NamedLayer, x: Activation, relu: boolean): Built;
  /** Whether somebody wants what this child makes, as it is: then nothing may be computed in one launch with it. */
  wants(child: NamedLayer): boolean;
  /** Tells of what comes out of a child that was computed together with the one before it. */
  made(child: NamedLayer, y: Tensor): void;
  /** Records launches of a container's own as a section of the plan; `record` returns the tensor that they produce. */
  section(pass: "forward" | "backward", record: () => Tensor): Tensor;
}

/** What `build` gives back. */
export interface Built {
  /** What comes out. */
  readonly y: Activation;
  /** Whether some parameter of it (or of a child) gets a gradient. */
  readonly trained: boolean;
  /**
   * Records the backward launches. `dy` is the gradient of y (masked already if `y.relu`). Returns the gradient
   * of x, or undefined if `wantInput` is false.
   */
  backward(dy: Tensor, wantInput: boolean): Tensor | undefined;
}

/** Shapes and parameters of a layer on a given input. */
export interface Description {
  /** What comes out. */
  readonly output: Shape;
  /** In PyTorch's order; a container's with their children's names. */
  readonly parameters: readonly ParameterSpec[];
}

/** A layer with its name, as `state_dict` has it: `features.0`, or `conv1` within a block. */
export interface NamedLayer {
  /** Unique among its siblings; may hold dots. */
  readonly name: string;
  /** What it does. */
  readonly layer: Layer;
}

/** A child of a container in its place. */
export interface PlacedLayer extends NamedLayer {
  /** What goes in. */
  readonly input: Shape;
}

/** An attribute of an ONNX node: a number is an int unless wrapped as `{ float }`. */
export type OnnxAttribute = number | readonly number[] | { readonly float: number };

/** Where a layer writes its ONNX form. */
export interface OnnxGraph {
  /** Appends a node that is named like its output; returns that name. */
  add(
    op: string,
    name: string,
    inputs: readonly string[],
    attributes?: Readonly<Record<string, OnnxAttribute>>,
  ): string;
  /** Appends a constant tensor; returns its name. */
  constant(name: string, shape: readonly number[], data: Float32Array): string;
  /** Name of the constant that holds one of the network's parameters, by its full name. */
  parameter(name: string): string;
}

/** A layer's place in an ONNX graph. */
export interface OnnxPlace {
  /** The layer's full name. */
  readonly name: string;
  /** Name of its input's value, [batch, C, H, W]. */
  readonly x: string;
  /** What goes in. */
  readonly input: Shape;
}

/** What a layer's plain-loop reference is computed from. */
export interface ReferenceInput {
  /** Activations of all images, [N, H, W, C], a flattened one still in that order. */
  readonly x: ArrayLike<number>;
  /** Images. */
  readonly n: number;
  /** Shape of one image. */
  readonly shape: Shape;
  /** As `BuildContext.index`. */
  readonly index: number;
  /** Undefined for inference; else batch statistics, and dropout at this seed and step. */
  readonly training: { readonly seed: number; readonly step: number } | undefined;
  /** One of the layer's parameters, in PyTorch's order. */
  parameter(name: string): ArrayLike<number>;
  /** Computes a child of a container. */
  child(child: NamedLayer, x: ArrayLike<number>, shape: Shape): Reference;
}

/** A layer in plain float64 loops. */
export interface Reference {
  /** [N, H, W, C]. */
  readonly y: ArrayLike<number>;
  /** How close a ReLU or a maximum came to deciding otherwise; float32 decides alike if this is well above its error. */
  readonly margin?: number;
  /** Gradients of sum(dy * y) by x and by the parameters, the latter in PyTorch's order, by name within the layer. */
  backward(dy: ArrayLike<number>): {
    readonly dx: ArrayLike<number>;
    readonly gradients?: Readonly<Record<string, ArrayLike<number>>>;
  };
}

/** A layer: its kind and options are plain data; it holds no tensor. */
export interface Layer {
  /** The field's name of the operation, e.g. `conv2d`. */
  readonly kind: string;
  /** What it was made with. */
  readonly options: Readonly<Record<string, number | string | boolean | readonly number[]>>;
  /** Whether a ReLU right after it can be computed in the same launch. */
  readonly fusesRelu?: boolean;
  /** It is max(x, 0) and nothing else, so the layer before may compute it. */
  readonly isRelu?: boolean;
  /** It changes no value, only the order or the shape. */
  readonly passesOn?: boolean;
  /** What it makes of an image depends on the other images of the batch or on the image's place in it. */
  readonly wholeBatch?: boolean;
  /** Its output is a map of features (`makes`), or is one if its input is (`keeps`): Grad-CAM explains by the last such map. */
  readonly featureMap?: "makes" | "keeps";
  /** Throws a `RangeError` in one sentence when the input does not fit. `maxPartBytes` bounds one device tensor. */
  describe(input: Shape, maxPartBytes: number): Description;
  /** The layers inside a container, each with the input it gets; absent: it is no container. */
  children?(input: Shape): readonly PlacedLayer[];
  /** Records the forward launches. `relu`: followed by a ReLU (only if `fusesRelu`). */
  build(context: BuildContext, x: Activation, relu: boolean): Built;
  /** Writes its ONNX form; returns the name of its output. Absent, or throwing a `RangeError`: it has none. */
  onnx?(graph: OnnxGraph, place: OnnxPlace): string;
  /** The same in plain loops. Absent: nothing can check it. */
  reference?(input: ReferenceInput): Reference;
  /** Itself with these options where it has them, such as `momentum` of batch normalisation; a container passes them on. */
  with?(options: Readonly<Record<string, number>>): Layer;
}

/** Scalars in one image's activation. */
export function sizeOf({ c, h, w }: Shape): number {
  return c * h * w;
}

/** Device shape of an activation of `batch` images. */
export function deviceShape(batch: number, shape: Shape): [number, number, number, number] {
  const f = shape.flattened;
  return f ? [batch, 1, 1, f.h * f.w * alignTo4(f.c)] : [batch, shape.h, shape.w, shape.c];
}

/** A layer in its place in a whole network: containers opened, names whole. */
export interface FlatLayer extends PlacedLayer {
  /** Its number, counted over all layers that are no containers. */
  readonly index: number;
}

/** All layers below (and, if it is no container, including) one, in order. */
export function flattenLayers(root: PlacedLayer): FlatLayer[] {
  const flat: FlatLayer[] = [];
  const visit = ({ name, layer, input }: PlacedLayer) => {
    const children = layer.children?.(input);
    if (!children) flat.push({ name, layer, input, index: flat.length });
    else for (const child of children) visit({ ...child, name: joinNames(name, child.name) });
  };
  visit(root);
  return flat;
}

/** `a.b`, or the one that is not empty. */
export function joinNames(a: string, b: string): string {
  return a && b ? `${a}.${b}` : a || b;
}
