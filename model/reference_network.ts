/**
 * A whole network forward and backward in float64, put together from the layers' plain-loop references. It shares no code with the
 * kernels. Parameters and gradients are in PyTorch's order, by full name.
 * @module
 */
import { softmaxCrossEntropy } from "../engine/kernels/softmax_cross_entropy/reference.ts";
import { flattenLayers, joinNames, type NamedLayer, type Reference, type Shape, sizeOf } from "./layer.ts";
import { type Architecture, describeNetwork } from "./network.ts";

/** Training mode: batch statistics, and dropout with the randomness of this seed and step. */
export interface TrainingMode {
  /** Of the random numbers. */
  readonly seed: number;
  /** Number of the step. */
  readonly step: number;
}

/** What one training step of the whole network computes. */
export interface ReferenceStep {
  /** [N, classes]. */
  readonly logits: Float64Array;
  /** Mean cross-entropy. */
  readonly loss: number;
  /** By full parameter name, in PyTorch's order. */
  readonly gradients: ReadonlyMap<string, Float64Array>;
  /** How close the nearest ReLU or pooling came to deciding otherwise; float32 decides alike if this is well above its error. */
  readonly margin: number;
}

/** The network on images [N, H, W, C]. Throws a `RangeError` for a layer without a reference. */
export function referenceNetwork(
  architecture: Architecture,
  parameters: ReadonlyMap<string, ArrayLike<number>>,
  images: ArrayLike<number>,
  training?: TrainingMode,
): Reference {
  const { root } = describeNetwork(architecture, Infinity), { input } = architecture;
  const flat = flattenLayers({ name: "", layer: root, input });
  const indices = new Map(flat.map(({ name, index }) => [name, index]));
  const n = images.length / sizeOf(input);
  const compute = (path: string, { layer }: NamedLayer, x: ArrayLike<number>, shape: Shape): Reference => {
    if (!layer.reference) throw new RangeError(`Cannot compute ${path}: no plain loops for ${layer.kind}`);
    return layer.reference({
      ...{ x, n, shape, training, index: indices.get(path) ?? 0 },
      parameter: (name) => parameters.get(joinNames(path, name))!,
      child: (child, x, shape) => compute(joinNames(path, child.name), child, x, shape),
    });
  };
  return compute("", { name: "", layer: root }, images, input);
}

/** Mean cross-entropy of images with labels, and its gradient by every parameter, in training mode. */
export function referenceStep(
  architecture: Architecture,
  parameters: ReadonlyMap<string, ArrayLike<number>>,
  images: ArrayLike<number>,
  labels: ArrayLike<number>,
  training: TrainingMode,
): ReferenceStep {
  const network = referenceNetwork(architecture, parameters, images, training);
  const logits = Float64Array.from(network.y);
  const { loss, dLogits } = softmaxCrossEntropy(logits, logits.length / labels.length, { labels });
  const { gradients = {} } = network.backward(dLogits);
  return {
    logits,
    loss,
    gradients: new Map(Object.entries(gradients).map(([name, values]) => [name, Float64Array.from(values)])),
    margin: network.margin ?? Infinity,
  };
}
