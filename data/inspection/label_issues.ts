/**
 * Labels that are likely wrong, found by confident learning (Northcutt, Jiang and Chuang, "Confident Learning: Estimating Uncertainty in
 * Dataset Labels", 2021; the method of cleanlab).
 * @module
 */
import { count } from "../../engine/text.ts";

/** A photo whose label a model doubts. */
export interface LabelIssue {
  /** Its place in the list. */
  readonly index: number;
  /** Its label. */
  readonly label: number;
  /** What the model takes it for. */
  readonly suggested: number;
  /** The model's probability of the suggested class less that of the label's, 0 to 1. */
  readonly margin: number;
}

/** Share of the labels that a good model agrees with. */
const GOOD = 0.9;

/** Of a class's mean, what a good model's doubt must reach: it is as sure of few photos that it is wrong about. docs/data.md has figures. */
const SLACK = 0.8;

/**
 * The photos whose labels are likely wrong, the surest first. `probabilities` has a row of one value per class for each photo, by models
 * that were not trained on it. A class counts for a photo where its probability reaches the mean that photos of that label have for it, so
 * that a class of which the model is never sure is held to less; of those that count the likeliest is suggested, and it must also be the
 * likeliest of all, or the model has no opinion. Models that agree with nine labels in ten need reach four fifths of the mean. Throws a
 * `RangeError` where a row or a label does not fit.
 */
export function findLabelIssues(
  labels: readonly number[],
  probabilities: readonly ArrayLike<number>[],
): LabelIssue[] {
  const classes = probabilities[0]?.length ?? 0;
  if (labels.length !== probabilities.length) {
    throw new RangeError(`Cannot judge labels: got ${labels.length} labels and ${probabilities.length} rows`);
  }
  const sums = new Float64Array(classes), counts = new Float64Array(classes);
  labels.forEach((label, i) => {
    const row = probabilities[i]!;
    if (row.length !== classes || !(label >= 0 && label < classes)) {
      throw new RangeError(
        `Cannot judge labels: photo ${i} has label ${label} and ${row.length} probabilities`,
      );
    }
    sums[label]! += row[label]!;
    counts[label]!++;
  });
  // A class without a photo has no mean: nothing is enough for it.
  const thresholds = sums.map((sum, k) => counts[k]! > 0 ? sum / counts[k]! : Infinity);
  const rows = probabilities.map((row) => Array.from(row)),
    best = rows.map((row) => row.indexOf(Math.max(...row)));
  const agreed = labels.filter((label, i) => label === best[i]).length / labels.length;
  const part = agreed >= GOOD ? SLACK : 1;
  const issues = labels.flatMap((label, index): LabelIssue[] => {
    const row = rows[index]!, suggested = best[index]!;
    if (suggested === label || row[suggested]! < part * thresholds[suggested]!) return [];
    return [{ index, label, suggested, margin: row[suggested]! - row[label]! }];
  });
  return issues.sort((a, b) => b.margin - a.margin || a.index - b.index);
}

/** What models say of the labels of a folder. */
export interface SuspectLabels {
  /** Photos that could be judged, since a model was not trained on them. */
  readonly judged: number;
  /** Photos that every model was trained on. */
  readonly trainedOn: number;
  /** The surest first. */
  readonly issues: readonly {
    readonly file: string;
    readonly class: string;
    readonly suggested: string;
    readonly margin: number;
  }[];
}

/** At most so many are named, unless all are wanted. */
const NAMED = 20;

/** What was found, in lines for people. */
export function labelIssueLines(
  { judged, trainedOn, issues }: SuspectLabels,
  { all = false } = {},
): string[] {
  const without = trainedOn > 0
    ? `; ${
      count(trainedOn, "photo was", "photos were")
    } trained on by every model that was asked, and not judged`
    : "";
  if (issues.length === 0) return [`No label of ${count(judged, "photo")} looks wrong${without}`];
  const shown = all ? issues : issues.slice(0, NAMED), rest = issues.length - shown.length;
  return [
    `${issues.length} of ${count(judged, "label")} may be wrong, the likeliest first${without}`,
    ...shown.map(({ file, class: name, suggested, margin }) =>
      `  ${file}: ${name}, looks like ${suggested} (by ${(100 * margin).toFixed(0)} points)`
    ),
    ...rest > 0 ? [`  … and ${rest} more (--all)`] : [],
  ];
}
