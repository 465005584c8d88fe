/**
 * What a run says before it begins: what it follows, and what may go wrong with its photos.
 * @module
 */
import type { Dataset } from "../../data/dataset/folder.ts";
import type { PhotoStore } from "../../data/dataset/photo_store.ts";
import type { SplitRecord } from "../../data/dataset/split_record.ts";
import { datasetWarnings } from "../../data/dataset/warnings.ts";
import { inspectPhotos } from "../../data/inspection/inspection.ts";
import { inspectionSummary } from "../../data/inspection/inspection_text.ts";
import { recipeLine } from "../options/recipe.ts";
import type { SettledOptions } from "../options/settle.ts";
import { type SeenBefore, seenBefore, seenBeforeText } from "./seen_before.ts";

/** Of a new run: its recipe, what it was told and does not do (`notes`), and warnings about its photos, a line each. */
export function beginningLines(
  options: SettledOptions,
  notes: readonly string[],
  dataset: Dataset,
  photos: PhotoStore,
): string[] {
  const recipe = recipeLine(options), { valid } = dataset.splits;
  const waits = options.patience !== undefined && valid.length === 0
    ? ["Warning   there are no validation photos that --patience could wait for: the run goes to its end"]
    : [];
  const warnings = datasetWarnings(dataset);
  // The shapes that are drawn are known.
  if (options.data !== undefined) {
    warnings.push(...inspectionSummary(inspectPhotos(dataset, photos, { misleadingOnly: true })));
  }
  return [
    ...recipe === undefined ? [] : [recipe],
    ...notes,
    ...waits,
    ...dataset.notes.map((phrase) => `Folders   ${phrase}`),
    ...warnings.map((warning) => `Warning   ${warning}`),
  ];
}

/** Which held-out photos the starting weights had seen, and that figures are flattered by them or by the teacher, as lines for people. */
export function flattery(
  { splits }: Dataset,
  { start, teacher }: { readonly start: SplitRecord | undefined; readonly teacher: SplitRecord | undefined },
): { readonly seen: SeenBefore | undefined; readonly lines: readonly string[] } {
  const heldOut = { valid: splits.valid.length, test: splits.test.length };
  const line = (seen: SeenBefore | undefined, who: string) => {
    const text = seen && seenBeforeText(seen, heldOut, who);
    return text === undefined ? [] : [`Warning   ${text}`];
  };
  const seen = seenBefore(splits, start);
  return {
    seen,
    lines: [...line(seen, "the starting weights"), ...line(seenBefore(splits, teacher), "the teacher")],
  };
}
