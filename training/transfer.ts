/**
 * Starting from weights trained elsewhere: what fits is loaded, the rest is reported and keeps its first values.
 * @module
 */
import { UserError } from "../engine/errors.ts";
import { count } from "../engine/text.ts";
import type { Preprocess } from "../data/preprocess.ts";
import { cardFromMetadata } from "../model/checkpoint/card.ts";
import { CheckpointError, type TensorValue } from "../model/checkpoint/checkpoint.ts";
import { firstBeyond } from "../model/checkpoint/finite.ts";
import type { Network } from "../model/network.ts";

/** What became of every tensor. */
export interface TransferReport {
  /** Names that were loaded. */
  readonly loaded: readonly string[];
  /** Tensors of the file that were not, and why. */
  readonly skipped: readonly { readonly name: string; readonly reason: string }[];
  /** The network's parameters that the file does not have, or not whole layers of: they keep their first values. */
  readonly missing: readonly string[];
}

/**
 * Loads every layer whose tensors all have this network's shapes. A classifier head for other classes, or half a
 * layer, is skipped whole. Throws a `CheckpointError` if nothing fits or a value is not finite.
 */
export function loadWeights(network: Network, tensors: ReadonlyMap<string, TensorValue>): TransferReport {
  const { parameters, architecture } = network;
  const own = new Map<string, string>(); // why a tensor does not fit
  const layers = new Map<string, string>(); // why a layer cannot be loaded
  for (const { name, spec } of parameters.all) {
    const found = tensors.get(name), layer = layerOf(name), part = name.slice(layer.length + 1);
    if (found && `${found.shape}` === `${spec.shape}`) continue;
    if (found) own.set(name, `it is [${found.shape}], wanted [${spec.shape}]`);
    else if (!hasAny(tensors, layer)) continue;
    layers.set(layer, `its layer's ${part} ${found ? "does not fit" : "is missing"}`);
  }
  const loaded: string[] = [], missing: string[] = [];
  for (const { name } of parameters.all) {
    const found = tensors.get(name);
    if (!found || layers.has(layerOf(name))) missing.push(name);
    else {
      const bad = firstBeyond(found.data);
      if (bad !== undefined) {
        throw new CheckpointError(
          `Cannot load ${name}: its value ${bad.index} is ${bad.value}, wanted finite ones`,
        );
      }
      loaded.push(name);
    }
  }
  if (loaded.length === 0) {
    const [first] = tensors.keys();
    throw new CheckpointError(
      `Cannot start ${architecture.name} from these weights: none of ${count(tensors.size, "tensor")} fits` +
        (first === undefined ? "" : ` (the first is ${first} [${tensors.get(first)!.shape}])`),
    );
  }
  for (const name of loaded) parameters.write(name, tensors.get(name)!.data);
  const taken = new Set(loaded);
  const known = new Set(parameters.all.map((p) => p.name));
  const skipped = [...tensors.keys()].filter((name) => !taken.has(name)).map((name) => ({
    name,
    reason: known.has(name)
      ? own.get(name) ?? layers.get(layerOf(name))!
      : `${architecture.name} has none of that name`,
  }));
  return { loaded, skipped, missing };
}

/** The report for a log, a line for each kind. */
export function transferLines({ loaded, skipped, missing }: TransferReport): string[] {
  return [
    `Loaded ${count(loaded.length, "tensor")}: ${loaded.join(", ")}`,
    ...skipped.map(({ name, reason }) => `Skipped ${name}: ${reason}`),
    ...(missing.length > 0 ? [`Initialised anew: ${missing.join(", ")}`] : []),
  ];
}

/**
 * Which parameters `--freeze` leaves alone: those of these blocks or layers (`features`, `classifier.1`). Throws a
 * `UserError` for a name that `parameters` do not have, and when nothing would be left to train.
 */
export function freezeBlocks(
  blocks: readonly string[],
  parameters: readonly string[],
): (name: string) => boolean {
  const within = (block: string, name: string) => name === block || name.startsWith(`${block}.`);
  const unknown = blocks.find((block) => !parameters.some((name) => within(block, name)));
  if (unknown !== undefined) {
    const known = [...new Set(parameters.map((name) => name.split(".")[0]))].join(", ");
    throw new UserError(`Cannot freeze ${unknown}: the network has no such block, it has ${known}`);
  }
  const frozen = (name: string) => blocks.some((block) => within(block, name));
  if (parameters.every(frozen)) {
    throw new UserError(`Cannot freeze ${blocks.join(", ")}: nothing is left to train`);
  }
  return frozen;
}

/** How photos were prepared for the weights: as their file says, or as for torchvision's if it says nothing. */
export function transferPreprocess(metadata: Readonly<Record<string, string>>, size: number): Preprocess {
  const square = { height: size, width: size };
  if (metadata.model !== undefined) {
    return { ...cardFromMetadata(metadata, "the weights").card.preprocess, ...square };
  }
  return {
    ...square,
    channels: "RGB",
    resize: "crop",
    antialias: true,
    mean: [0.485, 0.456, 0.406],
    std: [0.229, 0.224, 0.225],
  };
}

function layerOf(name: string): string {
  return name.slice(0, name.lastIndexOf("."));
}

function hasAny(tensors: ReadonlyMap<string, unknown>, layer: string): boolean {
  return [...tensors.keys()].some((name) => layerOf(name) === layer);
}
