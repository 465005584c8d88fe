/**
 * What a classifier says of photos, without augmentation: the one pass that figures, calibration and reports are made from.
 * @module
 */
import { evaluationBatches } from "../../data/dataset/batches.ts";
import { ALONE, type Communicator } from "../../distributed/communicator.ts";
import type { NetworkClassifier } from "../../model/inference/classifier.ts";
import type { Pass } from "../../model/inference/inference.ts";
import { evaluationPhotos, type PhotoSource } from "../photos/photos.ts";

/** How photos are passed through a classifier. */
export interface PredictionOptions {
  /** Called after each batch. */
  readonly onProgress?: (done: number, total: number) => void;
  /** Test-time augmentation: the mean of the logits of the photo and its mirror image; default false. */
  readonly tta?: boolean;
  /** Who computes, each rank a batch in its turn; every rank is told all of it. Default: this process alone. */
  readonly ranks?: Communicator | undefined;
}

/** What a classifier says of one photo: what comes of its pass, and how familiar the photo is where the model can tell. */
export interface Prediction extends Pass {
  /** The photo's place in its source. */
  readonly index: number;
  /** Index of its class. */
  readonly label: number;
  /** Whether the photo is of no class of the model; absent where the model cannot tell. */
  readonly unknown?: boolean;
}

/** What a classifier says of the photos of a source, in their order. */
export interface Predictions {
  /** Names of the model's classes: the columns. */
  readonly classes: readonly string[];
  /** [photos, classes], row by row. */
  readonly logits: Float32Array;
  /** Index of each photo's class. */
  readonly labels: Uint32Array;
  /** Each photo's file; empty for photos that lie in no file. */
  readonly paths: readonly string[];
}

/** Passes every photo of `source` through the classifier once, batch by batch: memory stays flat however many there are. */
export async function* eachPrediction(
  classifier: NetworkClassifier,
  source: PhotoSource,
  { onProgress, ranks = ALONE, ...options }: PredictionOptions = {},
): AsyncGenerator<Prediction> {
  const { entries } = source, { maxBatch, card: { preprocess } } = classifier;
  // The last batch goes the way of the others: kernels for its own size would take longer to compile than they save.
  const size = Math.min(entries.length, maxBatch);
  const batches = evaluationBatches(entries.length, maxBatch);
  for (let done = 0, at = 0; at < batches.length; at += ranks.size) {
    const round = batches.slice(at, at + ranks.size), own = round[ranks.rank];
    const passes = own
      ? await classifier.passes(evaluationPhotos(source, own, preprocess), size, options)
      : [];
    const all = ranks.size === 1 ? passes : await gatherPasses(ranks, passes);
    const indices = round.flatMap((batch) => [...batch]);
    for (const [i, pass] of all.entries()) {
      const index = indices[i]!, { unknown } = classifier.answer(pass);
      yield { index, label: entries[index]!.label, ...pass, ...unknown !== undefined && { unknown } };
    }
    done += indices.length;
    onProgress?.(done, entries.length);
  }
}

/** The passes of all ranks' batches, of which a last round may have fewer than there are ranks. */
async function gatherPasses(ranks: Communicator, passes: readonly Pass[]): Promise<Pass[]> {
  const rows = passes.map(({ logits, moments }) => [logits, ...moments]);
  const lengths = rows[0]?.map(({ length }) => length) ?? [];
  // How many rows, how many parts each has, and how long these are; then the rows.
  const head = [rows.length, lengths.length, ...lengths];
  const all = await ranks.gather(
    new Uint8Array(
      Float32Array.from([...head, ...rows.flatMap((row) => row.flatMap((part) => [...part]))]).buffer,
    ),
  );
  return all.flatMap((bytes) => {
    const values = new Float32Array(bytes.slice().buffer), [count = 0, parts = 0] = values;
    const lengths = [...values.subarray(2, 2 + parts)];
    let at = 2 + parts;
    return Array.from({ length: count }, () => {
      const [logits, ...moments] = lengths.map((length) => values.slice(at, at += length));
      return { logits: logits!, moments };
    });
  });
}

/** All of them together: 4 bytes for each photo and class. */
export async function predictPhotos(
  classifier: NetworkClassifier,
  source: PhotoSource,
  options: PredictionOptions = {},
): Promise<Predictions> {
  const { classes } = classifier.card, { entries } = source;
  const logits = new Float32Array(entries.length * classes.length);
  for await (const { index, logits: row } of eachPrediction(classifier, source, options)) {
    logits.set(row, index * classes.length);
  }
  return {
    classes: [...classes],
    logits,
    labels: Uint32Array.from(entries, ({ label }) => label),
    paths: entries.map(({ path = "" }) => path),
  };
}

/** The logits of one photo; shares its memory with all. */
export function logitsOf({ classes, logits }: Predictions, index: number): Float32Array {
  return logits.subarray(index * classes.length, (index + 1) * classes.length);
}
