/**
 * A network: a tree of layers with parameters in device memory, and what turns it into plans.
 * @module
 */
import { UserError } from "../engine/errors.ts";
import type { Gpu } from "../engine/device.ts";
import type { Plan } from "../engine/plan.ts";
import type { Tensor } from "../engine/tensor.ts";
import {
  deviceShape,
  type FlatLayer,
  flattenLayers,
  joinNames,
  type Layer,
  type NamedLayer,
  type ParameterSpec,
  type Shape,
} from "./layer.ts";
import { type ArenaTensors, ParameterStore } from "./parameters.ts";
import { LayerError, sequential } from "./sequential.ts";
import { type BuildOptions, type Section, TreeContext, type Watch } from "./tree_context.ts";

export type { BuildOptions, NamedLayer, Section };

/** An architecture for one input size: nothing but data. */
export interface Architecture {
  /** Name that `--model` takes. */
  readonly name: string;
  /** Shape of one image. */
  readonly input: Shape;
  /** In order; containers among them make it a tree. */
  readonly layers: readonly NamedLayer[];
}

/** A layer that is no container, with what it makes of its input. */
export interface DescribedLayer extends FlatLayer {
  /** Shape of one image's result. */
  readonly output: Shape;
  /** Names within the layer. */
  readonly parameters: readonly ParameterSpec[];
}

/** Parameters (by full name) and output of an architecture; throws a `UserError` that names the layer which does not fit. */
export function describeNetwork(
  { name, input, layers }: Architecture,
  maxPartBytes: number,
): ReturnType<Layer["describe"]> & { readonly root: Layer } {
  const root = sequential(layers);
  try {
    return { root, ...root.describe(input, maxPartBytes) };
  } catch (error) {
    if (!(error instanceof LayerError)) throw error;
    throw new UserError(`${error.message} (layer ${error.layer} of ${name})`);
  }
}

/** Every layer that is no container, in order, with its shapes and parameters. */
export function describeLayers(architecture: Architecture, maxPartBytes: number): DescribedLayer[] {
  const { root } = describeNetwork(architecture, maxPartBytes);
  return flattenLayers({ name: "", layer: root, input: architecture.input }).map((placed) => ({
    ...placed,
    ...placed.layer.describe(placed.input, maxPartBytes),
  }));
}

/** Owns the parameters; builds forward and training plans over them. */
export class Network implements Disposable {
  /** The weights, running statistics included. */
  readonly parameters: ParameterStore;
  /** Which parameter names training leaves alone. */
  readonly frozen: (name: string) => boolean;
  /** Whose pace in training a parameter has, by its name; those of one group lie together. */
  readonly groupOf: (name: string) => string;
  /** Shape of one image's logits. */
  readonly output: Shape;
  readonly #root: Layer;
  /** Numbers of the layers that are no containers. */
  readonly #indices: ReadonlyMap<string, number>;
  readonly #shared: boolean;

  /**
   * Allocates the parameters (zeros). `frozen` says which parameter names training leaves alone, `groupOf` which have a pace of their own. With `share` the parameters are those of
   * that network, which owns them: the same layers on inputs of another size; throws a `UserError` where they do not fit.
   */
  constructor(
    readonly gpu: Gpu,
    readonly architecture: Architecture,
    options: {
      frozen?: (name: string) => boolean;
      groupOf?: (name: string) => string;
      share?: Network;
    } = {},
  ) {
    const { root, output, parameters } = describeNetwork(
      architecture,
      gpu.limits.maxStorageBufferBindingSize,
    );
    this.#root = root;
    this.output = output;
    const flat = flattenLayers({ name: "", layer: root, input: architecture.input });
    this.#indices = new Map(flat.map(({ name, index }) => [name, index]));
    const { share, frozen = share?.frozen ?? (() => false), groupOf = share?.groupOf ?? (() => "") } =
      options;
    this.frozen = frozen;
    this.groupOf = groupOf;
    this.#shared = share !== undefined;
    if (share) requireSameParameters(share, architecture, parameters);
    this.parameters = share?.parameters ?? new ParameterStore(
      gpu,
      parameters.map((spec) => ({ name: spec.name, spec })),
      this.frozen,
      this.groupOf,
    );
  }

  /** Sets every parameter from `tensors` (PyTorch's names, shapes and order); throws a `UserError` where one is missing or does not fit. */
  load(
    tensors: ReadonlyMap<string, { readonly shape: readonly number[]; readonly data: Float32Array }>,
  ): void {
    for (const _ of this.loadInSteps(tensors));
  }

  /** As `load`, and yields whenever another few megabytes are uploaded; the first step checks everything. */
  *loadInSteps(
    tensors: ReadonlyMap<string, { readonly shape: readonly number[]; readonly data: Float32Array }>,
  ): Generator<void, void, void> {
    for (const { name, spec } of this.parameters.all) {
      const found = tensors.get(name);
      if (!found || `${found.shape}` !== `${spec.shape}`) {
        const got = found ? `has shape [${found.shape}]` : "is missing";
        throw new UserError(`Cannot load ${this.architecture.name}: ${name} ${got}, wanted [${spec.shape}]`);
      }
    }
    for (const { name } of this.parameters.all) {
      yield* this.parameters.writeInSteps(name, tensors.get(name)!.data);
    }
  }

  /** A tensor for `batch` input images, [N, H, W, C]. */
  inputTensor(plan: Plan, batch: number): Tensor {
    return plan.tensor(deviceShape(batch, this.architecture.input), "input");
  }

  /**
   * Inference: no saved activation is needed, no gradient exists. Returns the logits [N, 1, 1, classes]. `onLayer` hears of every layer's
   * output when it is recorded, by the layer's full name: a ReLU's that is computed with the layer before it comes under both names.
   */
  buildForward(
    plan: Plan,
    x: Tensor,
    onLayer?: (name: string, y: Tensor) => void,
  ): { logits: Tensor; sections: Section[] } {
    const { built, sections } = this.#build(plan, x, false, {}, onLayer && { onLayer });
    return { logits: built.y.tensor, sections };
  }

  /**
   * Training: forward, then `loss(logits)`, which records the loss and returns the logits' gradient, then backward
   * into `gradients`; with `wantInput` also the gradient dx of x. `TrainingStep` is this with the loss of classification.
   */
  buildTraining(
    plan: Plan,
    x: Tensor,
    loss: (logits: Tensor) => Tensor,
    options: BuildOptions & { gradients: ArenaTensors; wantInput?: boolean },
  ): { logits: Tensor; dx: Tensor | undefined; sections: Section[] } {
    const { built, sections } = this.#build(plan, x, true, options);
    const { y } = built;
    if (y.relu) throw new RangeError(`Cannot train ${this.architecture.name}: its last layer is a ReLU`);
    const dx = built.backward(loss(y.tensor), options.wantInput ?? false);
    return { logits: y.tensor, dx, sections };
  }

  /** Training's forward pass alone: batch normalisation uses the batch's statistics and updates the running ones. */
  buildStatistics(plan: Plan, x: Tensor, random?: Tensor<"u32">): { logits: Tensor; sections: Section[] } {
    // Trained parameters are told from frozen ones by having a gradient; no backward pass will write into these.
    const gradients = this.parameters.arenas.map((arena) => arena.trained ? arena.values : undefined);
    const { built, sections } = this.#build(plan, x, true, { gradients, ...random && { random } });
    return { logits: built.y.tensor, sections };
  }

  /**
   * Inference and the gradient of sum(dLogits * logits) with respect to what `layer` makes (one of `maps`), for Grad-CAM; default: the last
   * map of features, after its batch normalisation and ReLU. `dLogits` has the shape of the logits. Throws a `UserError` for a layer that
   * makes no map, and a `RangeError` where there is no convolution.
   */
  buildExplanation(
    plan: Plan,
    x: Tensor,
    dLogits: Tensor,
    layer: string = this.#lastFeatures,
  ): { logits: Tensor; features: Tensor; gradient: Tensor } {
    const { maps } = this;
    if (!maps.includes(layer)) {
      throw new UserError(
        `Cannot explain by layer ${layer}: ${this.architecture.name} has maps in ${maps.join(", ")}`,
      );
    }
    const found: { features?: Tensor; gradient?: Tensor } = {};
    const { built } = this.#build(plan, x, false, {}, { explain: { layer, found } });
    built.backward(dLogits, true);
    return { logits: built.y.tensor, features: found.features!, gradient: found.gradient! };
  }

  /** Full names of the layers whose output is a map, not yet flattened, in order; blocks, and those in them, too. */
  get maps(): string[] {
    const names = new Set<string>();
    let flattened = false;
    const visit = (name: string, layer: Layer, input: Shape) => {
      for (const child of layer.children?.(input) ?? []) {
        visit(joinNames(name, child.name), child.layer, child.input);
      }
      const { output } = layer.describe(input, Infinity);
      flattened ||= output.flattened !== undefined;
      if (name !== "" && !flattened) names.add(name);
    };
    visit("", this.#root, this.architecture.input);
    return [...names];
  }

  /**
   * Full names of the layers whose outputs are maps of features, looked for in chains alone: a block counts as one. Each with its batch
   * normalisation and its ReLU.
   */
  get featureMaps(): string[] {
    const names: string[] = [];
    const visit = (name: string, layer: Layer, input: Shape): boolean => {
      if (layer.kind === "sequential") {
        return layer.children!(input).every((child) =>
          visit(joinNames(name, child.name), child.layer, child.input)
        );
      }
      const { output } = layer.describe(input, Infinity);
      if (output.flattened) return false;
      if (layer.featureMap === "makes") names.push(name);
      else if ((layer.featureMap === "keeps" || layer.isRelu) && names.at(-1) === previous) {
        names[names.length - 1] = name;
      }
      previous = name;
      return true;
    };
    let previous = "";
    visit("", this.#root, this.architecture.input);
    return names;
  }

  get #lastFeatures(): string {
    const last = this.featureMaps.at(-1);
    if (last !== undefined) return last;
    throw new RangeError(`Cannot explain ${this.architecture.name}: it has no convolution`);
  }

  #build(plan: Plan, x: Tensor, training: boolean, options: BuildOptions, watch: Watch = {}) {
    const sections: Section[] = [];
    const context = new TreeContext(
      this,
      plan,
      x.shape[0]!,
      training,
      options,
      sections,
      this.#indices,
      watch,
    );
    try {
      return { built: this.#root.build(context, { tensor: x, relu: false }, false), sections };
    } catch (error) {
      // What an op refuses here follows from the options: a batch of one, say, that cannot be normalised.
      if (!(error instanceof RangeError && error.message.startsWith("Cannot build "))) throw error;
      throw new UserError(error.message);
    }
  }

  /** Frees the parameters, unless another network owns them. */
  [Symbol.dispose](): void {
    if (!this.#shared) this.parameters[Symbol.dispose]();
  }
}

/** Throws a `UserError` that names the first parameter which `architecture` has in another shape than the network does. */
function requireSameParameters(
  { architecture: { name, input }, parameters }: Network,
  architecture: Architecture,
  specs: readonly ParameterSpec[],
): void {
  const shapes = new Map(parameters.all.map(({ name, spec }) => [name, `${spec.shape}`]));
  const other = specs.find((spec) => shapes.get(spec.name) !== `${spec.shape}`);
  if (other === undefined) return;
  const at = ({ h, w }: Shape) => `${h}x${w}`;
  throw new UserError(
    `Cannot use one set of weights for ${name} at ${at(input)} and ${architecture.name} at ${
      at(architecture.input)
    }: ` +
      `${other.name} is [${shapes.get(other.name)}] in the one and [${other.shape}] in the other`,
  );
}
