/**
 * Starting from weights trained elsewhere: what fits is loaded, the rest is reported and keeps its first values.
 * @module
 */
import { UserError } from "../../engine/errors.ts";
import { count } from "../../engine/text.ts";
import { nameList } from "../../data/dataset/names.ts";
import type { Preprocess } from "../../data/preprocess.ts";
import { cardFromMetadata, type ModelCard } from "../../model/checkpoint/card.ts";
import { CheckpointError } from "../../model/checkpoint/error.ts";
import { firstBeyond } from "../../model/checkpoint/finite.ts";
import type { TensorValue } from "../../model/checkpoint/safetensors.ts";
import type { Network } from "../../model/network.ts";

/** What became of every tensor. */
export interface TransferReport {
  /** Names that were loaded. */
  readonly loaded: readonly string[];
  /** Tensors of the file that were not, and why. */
  readonly skipped: readonly { readonly name: string; readonly reason: string }[];
  /** The network's parameters that the file does not have, or not whole layers of: they keep their first values. */
  readonly missing: readonly string[];
  /** The head's rows were put into the order of this network's classes. */
  readonly reordered: boolean;
}

/** Class names in the order of the logits. */
export interface HeadClasses {
  /** Of the weights; undefined: their file does not say. */
  readonly from: readonly string[] | undefined;
  /** Of the network. */
  readonly to: readonly string[];
}

/**
 * Loads every layer whose tensors all have this network's shapes. A classifier head for other classes, or half a
 * layer, is skipped whole; a head for the same `classes` in another order gets this network's. Throws a `CheckpointError` if nothing
 * fits or a value is not finite.
 */
export function loadWeights(
  network: Network,
  given: ReadonlyMap<string, TensorValue>,
  classes?: HeadClasses,
): TransferReport {
  const { parameters, architecture } = network;
  const own = new Map<string, string>(); // why a tensor does not fit
  const layers = new Map<string, string>(); // why a layer cannot be loaded
  const head = layerOf(parameters.all.at(-1)!.name);
  const rows = classes && headRows(classes);
  if (rows === "other") layers.set(head, `it tells ${nameList(classes!.from!)} apart`);
  const tensors = Array.isArray(rows) ? reordered(given, head, rows) : given;
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
  return {
    loaded,
    skipped,
    missing,
    reordered: tensors !== given && loaded.some((n) => layerOf(n) === head),
  };
}

/** Which row of the weights' head each of the network's classes is; undefined: the same one, or nobody knows. */
function headRows({ from, to }: HeadClasses): number[] | "other" | undefined {
  if (from === undefined || from.length !== to.length) return undefined; // the shapes tell
  const rows = to.map((name) => from.indexOf(name));
  if (rows.includes(-1)) return "other";
  return rows.every((row, i) => row === i) ? undefined : rows;
}

/** The tensors with the head's rows in another order. */
function reordered(
  tensors: ReadonlyMap<string, TensorValue>,
  head: string,
  rows: readonly number[],
): ReadonlyMap<string, TensorValue> {
  return new Map(
    [...tensors].map(([name, value]) => {
      const { shape, data } = value;
      if (layerOf(name) !== head || shape[0] !== rows.length) return [name, value];
      const width = data.length / rows.length, moved = new Float32Array(data.length);
      rows.forEach((row, i) => moved.set(data.subarray(row * width, (row + 1) * width), i * width));
      return [name, { shape, data: moved }];
    }),
  );
}

/** The report for a log, a line for each kind. */
export function transferLines({ loaded, skipped, missing, reordered }: TransferReport): string[] {
  return [
    `Loaded ${count(loaded.length, "tensor")}: ${loaded.join(", ")}`,
    ...(reordered ? ["Reordered the last layer: the weights have the same classes in another order"] : []),
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

/** What stays untrained, and whether that is random, as lines for people. `parameters` are those that `--freeze` could leave alone. */
export function frozenLines(
  blocks: readonly string[],
  parameters: readonly { readonly name: string; readonly size: number }[],
  loaded: boolean,
): string[] {
  const frozen = freezeBlocks(blocks, parameters.map(({ name }) => name));
  const sum = (some: typeof parameters) => some.reduce((all, { size }) => all + size, 0);
  const number = (n: number) => n.toLocaleString("en");
  const kept = parameters.filter(({ name }) => frozen(name));
  return [
    `Frozen    ${blocks.join(", ")}: ${number(sum(kept))} of ${number(sum(parameters))} parameters`,
    ...(loaded ? [] : [`Warning   what is frozen is random, since no --weights are given`]),
  ];
}

/** What the weights' file says about itself; undefined where it was not written here. Throws a `CheckpointError` where that is wrong. */
export function transferCard(metadata: Readonly<Record<string, string>>): ModelCard | undefined {
  return metadata.model === undefined ? undefined : cardFromMetadata(metadata, "the weights").card;
}

/** How photos were prepared for the weights: as their file says, or as for torchvision's if it says nothing. */
export function transferPreprocess(card: ModelCard | undefined, size: number): Preprocess {
  const square = { height: size, width: size };
  if (card !== undefined) return { ...card.preprocess, ...square };
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
