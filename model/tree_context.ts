/**
 * Building a tree of layers into a plan: what each layer may use on the way, and where its launches lie.
 * @module
 */
import type { Gpu } from "../engine/device.ts";
import type { Plan } from "../engine/plan.ts";
import type { Tensor } from "../engine/tensor.ts";
import {
  type Activation,
  type BuildContext,
  type Built,
  joinNames,
  type NamedLayer,
  type StatisticsKeeper,
} from "./layer.ts";
import type { ArenaTensors, ParameterStore } from "./parameters.ts";

/** Where one layer's launches lie in a plan, for profiles and for finding the first bad number. */
export interface Section {
  /** The layer's full name. */
  readonly layer: string;
  /** Which way. */
  readonly pass: "forward" | "backward";
  /** The tensor the section produced; undefined where backward has no input gradient. */
  readonly output: Tensor | undefined;
  /** Launches [first, end) of the plan. */
  readonly first: number;
  /** One beyond its last launch. */
  readonly end: number;
}

/** Options of a plan's build. */
export interface BuildOptions {
  /** Gradient tensors by arena (`parameters.zerosLike`), for training. */
  readonly gradients?: ArenaTensors;
  /** Add to the gradients that are there; default false. */
  readonly accumulate?: boolean;
  /** (seed, step, 0, 0). */
  readonly random?: Tensor<"u32">;
  /** Takes batches' own statistics; default: running ones move with every batch. */
  readonly statistics?: StatisticsKeeper | undefined;
}

/** The layer whose output and its gradient an explanation wants, and where they go. */
interface Explain {
  readonly layer: string;
  readonly found: { features?: Tensor; gradient?: Tensor };
}

/** Who wants to know of what layers make. */
export interface Watch {
  readonly explain?: Explain;
  readonly onLayer?: ((name: string, y: Tensor) => void) | undefined;
}

/** What a layer at `name` in the tree may use. */
export class TreeContext implements BuildContext {
  constructor(
    readonly network: { readonly gpu: Gpu; readonly parameters: ParameterStore },
    readonly plan: Plan,
    readonly batch: number,
    readonly training: boolean,
    readonly options: BuildOptions,
    readonly sections: Section[],
    readonly indices: ReadonlyMap<string, number>,
    readonly watch: Watch,
    readonly name = "",
  ) {}

  get gpu(): Gpu {
    return this.network.gpu;
  }

  get accumulate(): boolean {
    return this.options.accumulate ?? false;
  }

  get random(): Tensor<"u32"> | undefined {
    return this.options.random;
  }

  get statistics(): StatisticsKeeper | undefined {
    return this.options.statistics;
  }

  get index(): number {
    return this.indices.get(this.name) ?? 0;
  }

  parameter(name: string): readonly Tensor[] {
    return this.network.parameters.get(joinNames(this.name, name)).tensors;
  }

  gradient(name: string): readonly Tensor[] | undefined {
    const { parameters } = this.network, { gradients } = this.options;
    return gradients && parameters.viewsIn(parameters.get(joinNames(this.name, name)), gradients);
  }

  child({ name, layer }: NamedLayer, x: Activation, relu: boolean): Built {
    const path = joinNames(this.name, name);
    const { network, plan, batch, training, options, sections, indices, watch } = this;
    const { explain, onLayer } = watch;
    const context = new TreeContext(
      ...[network, plan, batch, training, options, sections, indices, watch, path] as const,
    );
    // Containers are cut up into their children's sections and their own.
    const whole = layer.children === undefined;
    const first = plan.launches.length;
    const built = layer.build(context, x, relu);
    if (whole) this.#note(path, "forward", built.y.tensor, first);
    onLayer?.(path, built.y.tensor);
    const wanted = explain?.layer === path;
    if (wanted) explain.found.features = built.y.tensor;
    return {
      // What is explained is the gradient of all features, also of those that the ReLU cut off.
      y: wanted ? { ...built.y, relu: false } : built.y,
      trained: built.trained,
      backward: (dy, wantInput) => {
        if (wanted) {
          explain.found.gradient = dy;
          return undefined;
        }
        const first = plan.launches.length;
        const dx = built.backward(dy, wantInput);
        if (whole) this.#note(path, "backward", dx, first);
        return dx;
      },
    };
  }

  wants({ name }: NamedLayer): boolean {
    return this.watch.explain?.layer === joinNames(this.name, name);
  }

  made({ name }: NamedLayer, y: Tensor): void {
    this.watch.onLayer?.(joinNames(this.name, name), y);
  }

  section(pass: Section["pass"], record: () => Tensor): Tensor {
    const first = this.plan.launches.length;
    const output = record();
    this.#note(this.name, pass, output, first);
    return output;
  }

  #note(layer: string, pass: Section["pass"], output: Tensor | undefined, first: number): void {
    this.sections.push({ layer, pass, output, first, end: this.plan.launches.length });
  }
}
