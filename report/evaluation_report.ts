/**
 * The report of a classifier on any photos, for `deno task evaluate --report`.
 * @module
 */
import { join } from "@std/path";
import type { PhotoStore } from "../data/dataset/photo_store.ts";
import { writeFileAtomically } from "../model/checkpoint/files.ts";
import type { NetworkClassifier } from "../model/inference/classifier.ts";
import type { Predictions } from "../training/evaluation/predictions.ts";
import { classifierPictures, classifierSections, reportOn } from "./classifier_report.ts";
import { html } from "./markup.ts";
import { page } from "./page.ts";

/** What is said beside the figures. */
export interface EvaluationReportOptions {
  /** Where the files go. */
  readonly folder: string;
  /** The folder of the photos, from which their names are told. */
  readonly dir: string;
  /** What the photos are, such as `test`. */
  readonly split: string;
  readonly title: string;
  readonly about: string;
  /** The command line that makes it again. */
  readonly command: string;
  /** What flatters the figures. */
  readonly warning?: string | undefined;
}

/**
 * Writes `report.html`, `confusion_matrix.png` and `val_predictions.jpg` of the predictions, which `classifier` made of `source`, into the
 * folder; resolves with the page's path.
 */
export async function writeEvaluationReport(
  classifier: NetworkClassifier,
  source: PhotoStore,
  predictions: Predictions,
  { folder, dir, split, title, about, command, warning }: EvaluationReportOptions,
): Promise<string> {
  const report = await reportOn(classifier, source, predictions, { dir, split });
  const sections = [
    ...warning === undefined ? [] : [{ id: "warning", title: "Warning", body: html`<p>${warning}</p>` }],
    ...classifierSections(report),
    { id: "repeat", title: "Repeat it", body: html`<pre>${command}</pre>` },
  ];
  await Deno.mkdir(folder, { recursive: true });
  const path = join(folder, "report.html");
  const files = {
    "report.html": new TextEncoder().encode(page({ title, about }, sections)),
    ...await classifierPictures(report),
  };
  for (const [name, bytes] of Object.entries(files)) {
    await writeFileAtomically(join(folder, name), bytes as Uint8Array<ArrayBuffer>);
  }
  return path;
}
