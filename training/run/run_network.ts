/**
 * The network of a run: built as its options say, from random numbers or from weights trained elsewhere.
 * @module
 */
import { defaultPreprocess, type Preprocess } from "../../data/preprocess.ts";
import type { Gpu } from "../../engine/device.ts";
import { architecture } from "../../model/architectures/registry.ts";
import type { ModelCard } from "../../model/checkpoint/card.ts";
import { loadTensors } from "../../model/checkpoint/checkpoint.ts";
import { type Architecture, describeLayers, Network } from "../../model/network.ts";
import type { RunOptions } from "../options/options.ts";
import { Paces } from "../options/paces.ts";
import {
  freezeBlocks,
  frozenLines,
  loadWeights,
  transferCard,
  transferLines,
  transferPreprocess,
} from "./transfer.ts";

/** A network, and where its weights come from. The caller disposes of it. */
export class RunNetwork implements Disposable {
  private constructor(
    /** With its first weights. */
    readonly network: Network,
    /** How photos become its input. */
    readonly preprocess: Preprocess,
    /** What the weights that it starts from say of themselves; undefined where they are random, or do not say. */
    readonly startCard: ModelCard | undefined,
    /** What there is to say of it, for people. */
    readonly lines: readonly string[],
  ) {}

  /**
   * Builds it. Throws a `UserError` for an unknown architecture, an input too small for it, blocks that it does not have, and weights that do
   * not fit.
   */
  static async open(gpu: Gpu, given: RunOptions, classes: readonly string[]): Promise<RunNetwork> {
    // A run that goes on has its weights in its state; the file still says how photos become input.
    const start = given.weights === undefined ? undefined : await loadTensors(given.weights);
    const startCard = start && transferCard(start.metadata);
    const preprocess = start ? transferPreprocess(startCard, given.size) : defaultPreprocess(given.size);
    const layers = networkOf(given, classes.length), names = parameterNames(layers);
    const frozen = given.freeze && freezeBlocks(given.freeze, names);
    const paces = new Paces(given);
    paces.require(names, frozen);
    using stack = new DisposableStack();
    const network = stack.use(
      new Network(gpu, layers, { groupOf: paces.groupOf, ...frozen && { frozen } }),
    );
    network.parameters.initialise(given.seed);
    const lines = [...paces.lines];
    if (given.freeze) {
      const trained = network.parameters.all.filter(({ spec }) => spec.trained)
        .map(({ name, spec }) => ({ name, size: spec.shape.reduce((a, b) => a * b, 1) }));
      lines.push(...frozenLines(given.freeze, trained, start !== undefined));
    }
    if (start) {
      const loaded = loadWeights(network, start.tensors, { from: startCard?.classes, to: classes });
      lines.push(...transferLines(loaded));
    }
    stack.move();
    return new RunNetwork(network, preprocess, startCard, lines);
  }

  /** Frees it. */
  [Symbol.dispose](): void {
    this.network[Symbol.dispose]();
  }
}

/** The architecture that the options name; throws a `UserError` for an unknown one and for an input too small for it. */
export function networkOf({ model, size }: RunOptions, classes: number): Architecture {
  return architecture(model, { classes, size });
}

/** Names of all parameters and statistics of an architecture. */
function parameterNames(layers: Architecture): string[] {
  return describeLayers(layers, Infinity).flatMap(({ name, parameters }) =>
    parameters.map((p) => `${name}.${p.name}`)
  );
}
