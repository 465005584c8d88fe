/**
 * What a report says of a classifier on a set of photos, of a run's own or of any folder.
 * @module
 */
import type { PhotoStore } from "../data/dataset/photo_store.ts";
import type { UnknownRule } from "../model/checkpoint/card.ts";
import type { NetworkClassifier } from "../model/inference/classifier.ts";
import type { Predictions } from "../training/evaluation/predictions.ts";
import { type Examples, examplesOf } from "./examples.ts";
import { calibrationFigure, classTable, confusionTable, type Scaled, summaryOf } from "./figure_tables.ts";
import { type Figures, figuresOf } from "./figures.ts";
import { html, type Section } from "./markup.ts";
import { exampleSections } from "./photo_sections.ts";
import { confusionPicture, sheetPicture } from "./pictures.ts";

/** Figures and photos of a classifier. */
export interface ClassifierReport {
  readonly figures: Figures;
  /** With the temperature that the checkpoint keeps; absent where it keeps none. */
  readonly scaled: Scaled | undefined;
  /** When the classifier names no class; absent: it always names one. */
  readonly unknown: UnknownRule | undefined;
  readonly classes: readonly string[];
  readonly examples: Examples;
  /** What the photos are, such as `validation`. */
  readonly split: string;
}

/** What there is to report of `predictions`, which `classifier` made of `store`'s photos; names of photos are told from `dir` on. */
export async function reportOn(
  classifier: NetworkClassifier,
  store: PhotoStore,
  predictions: Predictions,
  { dir, split }: { readonly dir: string; readonly split: string },
): Promise<ClassifierReport> {
  const { calibration, unknown } = classifier.card, temperature = calibration?.temperature;
  return {
    figures: figuresOf(predictions),
    scaled: calibration && { figures: figuresOf(predictions, temperature), calibration },
    unknown,
    classes: predictions.classes,
    examples: await examplesOf(classifier, store, predictions, { dir, temperature }),
    split,
  };
}

/** Its sections, the figures first. */
export function classifierSections(
  { figures, scaled, unknown, classes, examples, split }: ClassifierReport,
): Section[] {
  return [
    {
      id: "figures",
      title: "How good it is",
      body: html`${summaryOf(figures, split)}<h3>Classes</h3>${classTable(figures)}`,
    },
    {
      id: "confusion",
      title: "Confusion matrix",
      body: confusionTable({ confusion: figures.confusion, classes }),
    },
    { id: "calibration", title: "Calibration", body: calibrationFigure(figures, split, scaled, unknown) },
    ...exampleSections(examples),
  ];
}

/** The files that lie beside its page. */
export async function classifierPictures(
  { figures, classes, examples, split }: ClassifierReport,
): Promise<Record<"confusion_matrix.png" | "val_predictions.jpg", Uint8Array>> {
  return {
    "confusion_matrix.png": await confusionPicture(figures.confusion, classes),
    "val_predictions.jpg": await sheetPicture(
      `Answers for ${split} photos`,
      examples.sheet.map(({ photo, label, predicted, confidence }) => ({
        url: photo,
        wrong: label !== predicted,
        lines: [`${predicted} ${confidence.toFixed(2)}`, ...label === predicted ? [] : [`is ${label}`]],
      })),
    ),
  };
}
