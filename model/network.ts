/**
 * A network: layers with parameters in device memory, and the two loops that turn it into plans.
 * @module
 */
import type { Gpu } from "../engine/gpu.ts";
import type { Plan } from "../engine/plan.ts";
import type { Tensor } from "../engine/tensor.ts";
import type { Activation, Built, Description, Layer, Shape, Step } from "./layer.ts";
import { deviceShape } from "./layer.ts";
import { ParameterStore } from "./parameters.ts";

/** A layer with its name, as `state_dict` has it: `features.0`. */
export interface NamedLayer {
  readonly name: string;
  readonly layer: Layer;
}

/** An architecture for one input size: nothing but data. */
export interface Architecture {
  /** Name that `--model` takes. */
  readonly name: string;
  readonly input: Shape;
  readonly layers: readonly NamedLayer[];
}

/** Where one layer's launches lie in a plan, for profiles and for finding the first bad number. */
export interface Section {
  readonly layer: string;
  readonly pass: "forward" | "backward";
  /** The tensor the section produced; undefined where backward has no input gradient. */
  readonly output: Tensor | undefined;
  /** Launches [first, end) of the plan. */
  readonly first: number;
  readonly end: number;
}

/** Options of a plan's build. */
export interface BuildOptions {
  /** Gradient tensors by arena (`parameters.like`), for training. */
  readonly gradients?: readonly (Tensor | undefined)[];
  readonly accumulate?: boolean;
  /** (seed, step, 0, 0), u32. */
  readonly random?: Tensor;
}

/** What `describe` finds for every layer. */
export function describeLayers(
  architecture: Architecture,
  maxPartBytes: number,
): (NamedLayer & Description)[] {
  let shape = architecture.input;
  return architecture.layers.map(({ name, layer }) => {
    try {
      const description = layer.describe(shape, maxPartBytes);
      shape = description.output;
      return { name, layer, ...description };
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      throw new RangeError(`${error.message} (layer ${name} of ${architecture.name})`);
    }
  });
}

/** Owns the parameters; builds forward and training plans over them. */
export class Network implements Disposable {
  readonly parameters: ParameterStore;
  /** Which parameter names training leaves alone. */
  readonly frozen: (name: string) => boolean;
  /** Shape of one image's logits. */
  readonly output: Shape;
  readonly #described: readonly (NamedLayer & Description)[];

  /** Allocates the parameters (zeros). `frozen` says which parameter names training leaves alone. */
  constructor(
    readonly gpu: Gpu,
    readonly architecture: Architecture,
    options: { frozen?: (name: string) => boolean } = {},
  ) {
    this.#described = describeLayers(architecture, gpu.limits.maxStorageBufferBindingSize);
    this.output = this.#described.at(-1)?.output ?? architecture.input;
    const specs = this.#described.flatMap(({ name, parameters }) =>
      parameters.map((spec) => ({ name: `${name}.${spec.name}`, spec }))
    );
    this.frozen = options.frozen ?? (() => false);
    this.parameters = new ParameterStore(gpu, specs, this.frozen);
  }

  /** Sets every parameter from `tensors` (PyTorch's names, shapes and order); throws where one is missing or does not fit. */
  load(
    tensors: ReadonlyMap<string, { readonly shape: readonly number[]; readonly data: Float32Array }>,
  ): void {
    for (const { name, spec } of this.parameters.all) {
      const found = tensors.get(name);
      if (!found || `${found.shape}` !== `${spec.shape}`) {
        const got = found ? `has shape [${found.shape}]` : "is missing";
        throw new RangeError(`Cannot load ${this.architecture.name}: ${name} ${got}, wanted [${spec.shape}]`);
      }
    }
    for (const { name } of this.parameters.all) this.parameters.write(name, tensors.get(name)!.data);
  }

  /** A tensor for `batch` input images, [N, H, W, C]. */
  inputTensor(plan: Plan, batch: number): Tensor {
    return plan.tensor(deviceShape(batch, this.architecture.input), "input");
  }

  /** Inference: no saved activation is needed, no gradient exists. Returns the logits [N, 1, 1, classes]. */
  buildForward(plan: Plan, x: Tensor): { logits: Tensor; sections: Section[] } {
    const { y, sections } = this.#forward(plan, x, false, {});
    return { logits: y.tensor, sections };
  }

  /**
   * Training: forward, then `loss(logits)`, which records the loss and returns the logits' gradient, then backward
   * into `gradients`.
   */
  buildTraining(
    plan: Plan,
    x: Tensor,
    loss: (logits: Tensor) => Tensor,
    options: BuildOptions & { gradients: readonly (Tensor | undefined)[] },
  ): { logits: Tensor; sections: Section[] } {
    const { y, built, sections } = this.#forward(plan, x, true, options);
    if (y.relu) throw new RangeError(`Cannot train ${this.architecture.name}: its last layer is a ReLU`);
    let gradient = loss(y.tensor);
    // Below the first layer with a gradient of its own, nobody wants one.
    const lowest = built.findIndex((b) => b.trained);
    for (let i = built.length - 1; i >= Math.max(lowest, 0); i--) {
      const first = plan.launches.length;
      const dx = built[i]!.backward(gradient, i > lowest);
      sections.push({
        layer: built[i]!.name,
        pass: "backward",
        output: dx,
        first,
        end: plan.launches.length,
      });
      if (!dx) break;
      gradient = dx;
    }
    return { logits: y.tensor, sections };
  }

  /** Training's forward pass alone: batch normalisation uses the batch's statistics and updates the running ones. */
  buildStatistics(plan: Plan, x: Tensor, random?: Tensor): { logits: Tensor; sections: Section[] } {
    // Trained parameters are told from frozen ones by having a gradient; no backward pass will write into these.
    const gradients = this.parameters.arenas.map((arena) => arena.trained ? arena.values : undefined);
    const { y, sections } = this.#forward(plan, x, true, { gradients, ...random && { random } });
    return { logits: y.tensor, sections };
  }

  /**
   * Inference and the gradient of sum(dLogits * logits) with respect to the last convolution's features (after its
   * batch normalisation and ReLU), for Grad-CAM. `dLogits` has the shape of the logits.
   */
  buildExplanation(
    plan: Plan,
    x: Tensor,
    dLogits: Tensor,
  ): { logits: Tensor; features: Tensor; gradient: Tensor } {
    const conv = this.#described.findLastIndex(({ layer }) => layer.kind === "conv2d");
    if (conv < 0) throw new RangeError(`Cannot explain ${this.architecture.name}: it has no convolution`);
    const target = this.#described[conv + 1]?.layer.kind === "batch_norm" ? conv + 1 : conv;
    const { y, built } = this.#forward(plan, x, false, {}, target);
    const found = built.findIndex((b) => b.name === this.#described[target]!.name);
    let gradient = dLogits;
    for (let i = built.length - 1; i > found; i--) gradient = built[i]!.backward(gradient, true)!;
    return { logits: y.tensor, features: built[found]!.y.tensor, gradient };
  }

  /** `open`: the layer whose output's gradient must not be masked by its ReLU. */
  #forward(plan: Plan, x: Tensor, training: boolean, options: BuildOptions, open = -1) {
    let y: Activation = { tensor: x, relu: false };
    const built: (Built & { name: string; trained: boolean })[] = [];
    const sections: Section[] = [];
    const layers = this.#described;
    for (let i = 0; i < layers.length; i++) {
      const { name, layer, parameters } = layers[i]!;
      const fused = layer.fusesRelu && layers[i + 1]?.layer.kind === "relu";
      const step = this.#step(plan, name, i, training, x.shape[0]!, options);
      const first = plan.launches.length;
      const one = layer.build(step, y, fused);
      const trained = parameters.some((p) => step.gradient(p.name) !== undefined);
      built.push({ ...one, name, trained });
      y = i === open ? { ...one.y, relu: false } : one.y;
      sections.push({ layer: name, pass: "forward", output: y.tensor, first, end: plan.launches.length });
      if (fused) i++;
    }
    return { y, built, sections };
  }

  #step(
    plan: Plan,
    layer: string,
    index: number,
    training: boolean,
    batch: number,
    options: BuildOptions,
  ): Step {
    const { parameters, gpu } = this;
    return {
      gpu,
      plan,
      batch,
      training,
      accumulate: options.accumulate ?? false,
      random: options.random,
      index,
      parameter: (name) => parameters.get(`${layer}.${name}`).tensors,
      gradient(name) {
        return options.gradients && parameters.viewsIn(parameters.get(`${layer}.${name}`), options.gradients);
      },
    };
  }

  [Symbol.dispose](): void {
    this.parameters[Symbol.dispose]();
  }
}
