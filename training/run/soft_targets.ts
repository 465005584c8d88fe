/**
 * A run's soft labels: read from a table, kept in the run's folder, given to its training photos.
 * @module
 */
import { basename } from "@std/path";
import { DataError, type Dataset } from "../../data/dataset/folder.ts";
import {
  certainClass,
  matchSoftLabels,
  parseSoftLabels,
  type SoftLabels,
} from "../../data/dataset/soft_labels.ts";
import { type Communicator, fromFirst } from "../../distributed/communicator.ts";
import { count } from "../../engine/text.ts";
import type { PhotoSource } from "../photos/photos.ts";

/** The copy of a run's table in its folder: a run that goes on has the labels that it began with, whatever became of the table. */
export const SOFT_LABELS_FILE = "soft_labels.csv";

/** A table, and its text. */
export interface SoftLabelTable {
  /** As it was read. */
  readonly text: string;
  /** Its rows. */
  readonly rows: SoftLabels;
}

/** Reads a table of soft labels for these classes, on the first of the ranks alone; throws a `DataError` where it cannot be used. */
export async function readSoftLabels(
  path: string,
  classes: readonly string[],
  ranks: Communicator,
): Promise<SoftLabelTable> {
  const text = await fromFirst(ranks, () =>
    Deno.readTextFile(path).catch((error) => {
      const reason = error instanceof Deno.errors.NotFound
        ? "there is no such file"
        : (error as Error).message;
      throw new DataError(`Cannot use ${path}: ${reason}`);
    }));
  return { text, rows: parseSoftLabels(text, classes, basename(path)) };
}

/** The training photos of a data set with the table's labels, and what there is to say of it. */
export function softened(
  source: PhotoSource,
  { dir, splits }: Dataset,
  { rows }: SoftLabelTable,
): { readonly source: PhotoSource; readonly notes: readonly string[] } {
  const { train } = splits, all = Object.values(splits).flat();
  const { labels } = matchSoftLabels(rows, dir, train), { unused } = matchSoftLabels(rows, dir, all);
  const given = labels.filter((label) => label !== undefined);
  if (given.length === 0) {
    throw new DataError(
      `Cannot use the soft labels: none of ${count(rows.size, "row")} is a training photo's, such as ${
        [...rows.keys()][0]
      }`,
    );
  }
  // Labels without doubt are classes, so that the run is bitwise the one that has them as folders.
  const certain = given.every((label) => certainClass(label) !== undefined);
  const highest = (label: Float32Array) => label.indexOf(Math.max(...label));
  const entries = source.entries.map((entry, i) => {
    const soft = labels[i];
    if (soft === undefined) return entry;
    return { ...entry, label: highest(soft), ...(certain ? {} : { soft }) };
  });
  const moved = train.filter(({ label }, i) => labels[i] && highest(labels[i]) !== label).length;
  const notes = [
    `Labels    of ${count(given.length, "training photo")} from the table${
      certain ? ", each of one class" : ""
    }; ${train.length - given.length} of their folder's class`,
    ...moved > 0
      ? [
        `Labels    ${count(moved, "photo")} ${
          moved === 1 ? "is" : "are"
        } most likely of another class than the folder's: the table's holds`,
      ]
      : [],
    ...unused.length > 0
      ? [
        `Warning   ${count(unused.length, "row")} of the table ${
          unused.length === 1 ? "names" : "name"
        } no photo of the folder, such as ${unused[0]}`,
      ]
      : [],
  ];
  return { source: { entries, pixels: (index) => source.pixels(index) }, notes };
}
