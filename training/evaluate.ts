/**
 * How good a classifier is on a split.
 * @module
 */
import type { NetworkClassifier } from "../model/inference/classifier.ts";
import type { PhotoSource } from "./photos.ts";
import { eachPrediction, logitsOf, type PredictionOptions, type Predictions } from "./predictions.ts";

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
  options: PredictionOptions = {},
): Promise<Evaluation> {
  const tally = new Tally(classifier.card.classes);
  for await (const { label, logits } of eachPrediction(classifier, source, options)) tally.add(label, logits);
  return tally.figures();
}

/** The same figures of a pass that was kept. */
export function evaluationOf(predictions: Predictions): Evaluation {
  const tally = new Tally(predictions.classes);
  predictions.labels.forEach((label, i) => tally.add(label, logitsOf(predictions, i)));
  return tally.figures();
}

/** Counts photo by photo. */
class Tally {
  readonly #confusion: number[][];
  #loss = 0;
  #n = 0;

  constructor(readonly classes: readonly string[]) {
    this.#confusion = classes.map(() => classes.map(() => 0));
  }

  add(label: number, logits: Float32Array): void {
    const best = logits.indexOf(logits.reduce((a, b) => Math.max(a, b), -Infinity));
    // A row of NaN has no best class; it counts as class 0 and its loss shows the trouble.
    this.#confusion[label]![Math.max(best, 0)]!++;
    this.#loss += crossEntropy(logits, label);
    this.#n++;
  }

  figures(): Evaluation {
    return summarise(this.classes, this.#confusion, this.#loss / this.#n, this.#n);
  }
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
