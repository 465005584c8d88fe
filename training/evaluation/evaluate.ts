/**
 * How good a classifier is on a split.
 * @module
 */
import type { NetworkClassifier } from "../../model/inference/classifier.ts";
import type { PhotoSource } from "../photos/photos.ts";
import { calibrationError, type Confidence, confidenceOf, crossEntropy } from "./confidence.ts";
import {
  eachPrediction,
  logitsOf,
  type Prediction,
  type PredictionOptions,
  type Predictions,
} from "./predictions.ts";

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
  /** Expected calibration error of the logits' own probabilities; see `calibrationError`. Absent in logs of older versions. */
  readonly ece?: number;
  /** Where the model has a temperature: what it is, and the expected calibration error with it. */
  readonly calibrated?: { readonly temperature: number; readonly ece: number };
  /** Where the model can call photos unknown. */
  readonly unknown?: {
    /** Share of the images that it does, all of which are of its classes. */
    readonly refused: number;
    /** Share of the others that are recognised; null where there is none. */
    readonly acceptedAccuracy: number | null;
  };
}

/** Runs every photo of `source` through the classifier once, without augmentation; with `tta` its mirror image, too. */
export async function evaluate(
  classifier: NetworkClassifier,
  source: PhotoSource,
  options: PredictionOptions = {},
): Promise<Evaluation> {
  const { classes, calibration } = classifier.card, tally = new Tally(classes, calibration?.temperature);
  for await (const prediction of eachPrediction(classifier, source, options)) tally.add(prediction);
  return tally.figures();
}

/** The same figures of a pass that was kept, but for what is unknown; `temperature` is the model's. */
export function evaluationOf(predictions: Predictions, temperature?: number): Evaluation {
  const tally = new Tally(predictions.classes, temperature);
  predictions.labels.forEach((label, i) => tally.add({ label, logits: logitsOf(predictions, i) }));
  return tally.figures();
}

/** Counts photo by photo. */
class Tally {
  readonly #confusion: number[][];
  readonly #plain: Confidence[] = [];
  readonly #calibrated: Confidence[] = [];
  readonly #told = { unknown: 0, known: 0, right: 0 };
  #loss = 0;

  constructor(readonly classes: readonly string[], readonly temperature: number | undefined) {
    this.#confusion = classes.map(() => classes.map(() => 0));
  }

  add({ label, logits, unknown }: Pick<Prediction, "label" | "logits" | "unknown">): void {
    const best = logits.indexOf(logits.reduce((a, b) => Math.max(a, b), -Infinity));
    // A row of NaN has no best class; it counts as class 0 and its loss shows the trouble.
    this.#confusion[label]![Math.max(best, 0)]!++;
    this.#loss += crossEntropy(logits, label);
    this.#plain.push(confidenceOf(logits, label));
    const { temperature } = this;
    if (temperature !== undefined) this.#calibrated.push(confidenceOf(logits, label, temperature));
    if (unknown === undefined) return;
    this.#told[unknown ? "unknown" : "known"]++;
    if (!unknown && best === label) this.#told.right++;
  }

  figures(): Evaluation {
    const { temperature } = this, n = this.#plain.length, { unknown, known, right } = this.#told;
    return {
      ...summarise(this.classes, this.#confusion, this.#loss / n, n),
      ece: calibrationError(this.#plain),
      ...temperature !== undefined && {
        calibrated: { temperature, ece: calibrationError(this.#calibrated) },
      },
      ...unknown + known > 0 && {
        unknown: { refused: unknown / (unknown + known), acceptedAccuracy: known > 0 ? right / known : null },
      },
    };
  }
}

function summarise(classes: readonly string[], confusion: number[][], loss: number, n: number) {
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
