/**
 * Checkpoints in memory: weights under PyTorch's names and shapes as safetensors, with the model card in the metadata,
 * so that the bytes alone can be served and `safetensors.torch.load_file` reads them unchanged.
 * @module
 */
import { cardFromMetadata, cardToMetadata, type ModelCard } from "./card.ts";
import { CheckpointError } from "./error.ts";
import { decodeExemplars, encodeExemplars, type Exemplars } from "./exemplars.ts";
import { foreignWeights } from "./foreign.ts";
import { firstBeyond } from "./finite.ts";
import { parseSafetensors, type TensorValue, writeSafetensors } from "./safetensors.ts";

/** A trained model. */
export interface Checkpoint {
  /** What the model is. */
  readonly card: ModelCard;
  /** By PyTorch's name, running statistics included, in PyTorch's shape. */
  readonly tensors: ReadonlyMap<string, TensorValue>;
  /** Training photos that others are compared with, where the card's rule for unknown photos needs them. */
  readonly exemplars?: Exemplars | undefined;
  /** Metadata beyond the card, kept as it is. */
  readonly extras?: Readonly<Record<string, string>>;
}

/** PyTorch's batch norm counts its steps in an int64 scalar that nothing here needs. */
const COUNTER = /(^|\.)num_batches_tracked$/;

/** The bytes of a checkpoint file. */
export function encodeCheckpoint(
  { card, tensors, exemplars, extras = {} }: Checkpoint,
): Uint8Array<ArrayBuffer> {
  const all = new Map(tensors);
  const steps = Float32Array.of(card.training?.step ?? 0);
  for (const name of tensors.keys()) {
    const [layer, statistic] = splitName(name);
    if (statistic === "running_mean") all.set(`${layer}num_batches_tracked`, { shape: [], data: steps });
  }
  const metadata = {
    ...extras,
    ...cardToMetadata(card),
    ...exemplars && { exemplars: encodeExemplars(exemplars) },
  };
  return writeSafetensors(all, metadata, (name) => COUNTER.test(name));
}

/** Reads what `encodeCheckpoint` wrote; throws a `CheckpointError` that calls the data `name`, also where a value is not finite. */
export function decodeCheckpoint(bytes: Uint8Array, name = "checkpoint"): Checkpoint {
  const { metadata, tensors } = decodeTensors(bytes, name);
  const { card, extras: { exemplars, ...extras } } = cardFromMetadata(metadata, name);
  return {
    card,
    extras,
    tensors,
    ...exemplars !== undefined && { exemplars: decodeExemplars(exemplars, name) },
  };
}

function splitName(name: string): [layer: string, tensor: string] {
  const dot = name.lastIndexOf(".") + 1;
  return [name.slice(0, dot), name.slice(dot)];
}

/** Any tensors, and the metadata beside them. */
export interface Tensors {
  /** The file's strings. */
  readonly metadata: Readonly<Record<string, string>>;
  /** By name. */
  readonly tensors: ReadonlyMap<string, TensorValue>;
}

/**
 * What every reader of weights goes through: any safetensors, PyTorch's step counters left out. Throws a `CheckpointError` that calls them
 * `file`, and names the tensor where a value is not finite; what is no safetensors file may be one of another program, which it says.
 */
export function decodeTensors(bytes: Uint8Array, file: string): Tensors {
  const { metadata, tensors: all } = parseOrName(bytes, file);
  const tensors = new Map<string, TensorValue>();
  for (const [name, { shape, data }] of all) {
    if (COUNTER.test(name)) continue;
    const bad = firstBeyond(data);
    if (bad !== undefined) {
      throw new CheckpointError(
        `Cannot use ${file}: value ${bad.index} of ${name} is ${bad.value}, wanted finite numbers`,
      );
    }
    tensors.set(name, { shape, data });
  }
  return { metadata, tensors };
}

function parseOrName(bytes: Uint8Array, file: string) {
  try {
    return parseSafetensors(bytes, file);
  } catch (error) {
    const foreign = foreignWeights(bytes, file);
    throw foreign === undefined ? error : new CheckpointError(`Cannot read ${file}: ${foreign}`);
  }
}
