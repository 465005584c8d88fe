/**
 * How good a classifier is on a split.
 * @module
 */
import { evaluationBatches } from "../data/dataset/batches.ts";
import type { NetworkClassifier } from "../model/inference/classifier.ts";
import { evaluationPhotos, type PhotoSource } from "./photos.ts";

/** How good a classifier is for one class; a share of nothing is null. */
export interface ClassFigures {
  /** Its name. */
  readonly class: string;
  /** Images of it. */
  readonly n: number;
  /** Share of them recognised. */
  readonly recall: number | null;
  /** Share of its predictions that are right. */
  readonly precision: number | null;
}

/** The figures that `evaluate --json` prints. */
export interface Evaluation {
  /** Images evaluated. */
  readonly n: number;
  /** Share of them recognised. */
  readonly accuracy: number;
  /** Mean of the classes' recalls, so that every class counts alike; those without an image are left out. */
  readonly balancedAccuracy: number;
  /** Mean cross-entropy in nats. */
  readonly loss: number;
  /** The classes in the model's order: images, and the share of them recognised (recall) and of its predictions that are right. */
  readonly perClass: readonly ClassFigures[];
  /** Rows are true classes, columns predicted ones. */
  readonly confusion: readonly (readonly number[])[];
}

/** Runs every photo of `source` through the classifier once, without augmentation; with `tta` its mirror image, too. */
export async function evaluate(
  classifier: NetworkClassifier,
  source: PhotoSource,
  options: { onProgress?: (done: number, total: number) => void; tta?: boolean } = {},
): Promise<Evaluation> {
  const { classes, preprocess } = classifier.card;
  const confusion = classes.map(() => classes.map(() => 0));
  let loss = 0, done = 0;
  // The last batch goes the way of the others: kernels for its own size would take longer to compile than they save.
  const size = Math.min(source.entries.length, classifier.maxBatch);
  for (const batch of evaluationBatches(source.entries.length, classifier.maxBatch)) {
    const logits = await classifier.logits(evaluationPhotos(source, batch, preprocess), size, options);
    logits.forEach((row, i) => {
      const label = source.entries[batch[i]!]!.label;
      const best = row.indexOf(row.reduce((a, b) => Math.max(a, b), -Infinity));
      // A row of NaN has no best class; it counts as class 0 and its loss shows the trouble.
      confusion[label]![Math.max(best, 0)]!++;
      loss += crossEntropy(row, label);
    });
    done += batch.length;
    options.onProgress?.(done, source.entries.length);
  }
  return summarise(classes, confusion, loss / done, done);
}

/** -log softmax(logits)[label], in float64. */
export function crossEntropy(logits: Float32Array, label: number): number {
  const top = logits.reduce((a, b) => Math.max(a, b), -Infinity);
  const sum = logits.reduce((total, v) => total + Math.exp(v - top), 0);
  return Math.log(sum) - (logits[label]! - top);
}

function summarise(classes: readonly string[], confusion: number[][], loss: number, n: number): Evaluation {
  const share = (part: number, whole: number) => whole > 0 ? part / whole : null;
  const hits = confusion.reduce((sum, row, i) => sum + row[i]!, 0);
  const perClass = classes.map((name, i) => {
    const rowSum = confusion[i]!.reduce((a, b) => a + b, 0);
    const columnSum = confusion.reduce((sum, row) => sum + row[i]!, 0);
    const right = confusion[i]![i]!;
    return { class: name, n: rowSum, recall: share(right, rowSum), precision: share(right, columnSum) };
  });
  const recalls = perClass.map(({ recall }) => recall).filter((recall) => recall !== null);
  const balancedAccuracy = recalls.reduce((sum, recall) => sum + recall, 0) / recalls.length;
  return { n, accuracy: hits / n, balancedAccuracy, loss, perClass, confusion };
}
