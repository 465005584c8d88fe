/**
 * Soft labels: a table with a probability for each class of a photo, instead of the one class that its folder names.
 * @module
 */
import { parse } from "@std/csv/parse";
import { count } from "../../engine/text.ts";
import { DataError, type ListedPhoto } from "./folder.ts";
import { nameList } from "./names.ts";
import { nameBelow } from "./walk.ts";

/** How far from 1 a row's probabilities may add up, for tables that were rounded; they are divided by their sum. */
const ROUNDED = 0.01;

/** Rows of a table: probabilities in the order of the classes, by the file's name in the table. */
export type SoftLabels = ReadonlyMap<string, Float32Array>;

/**
 * Reads a table: a header `file,CLASS,…` with every class once, in any order, then a line for each photo. `name` is how errors call
 * it. Throws a `DataError` that names the line.
 */
export function parseSoftLabels(text: string, classes: readonly string[], name: string): SoftLabels {
  const refuse = (line: number, what: string): never => {
    throw new DataError(`Cannot use ${name}: line ${line} ${what}`);
  };
  let rows: string[][];
  try {
    rows = parse(text.replace(/^\uFEFF/, ""), { trimLeadingSpace: true });
  } catch (error) {
    throw new DataError(`Cannot use ${name}: it is no table (${(error as Error).message})`);
  }
  const header = rows[0]?.map((cell) => cell.trim()) ?? [];
  const unknown = header.slice(1).find((cell) => !classes.includes(cell));
  const missing = classes.find((cell) => header.filter((other) => other === cell).length !== 1);
  if (header[0] !== "file" || unknown !== undefined || missing !== undefined) {
    refuse(
      1,
      `is "${header.join(",")}", wanted "file" and each class once: ${nameList(["file", ...classes])}`,
    );
  }
  const columns = classes.map((cell) => header.indexOf(cell));
  const table = new Map<string, Float32Array>();
  rows.slice(1).forEach((row, i) => {
    const file = row[0]!.trim().replaceAll("\\", "/"), line = i + 2;
    const shares = columns.map((k) => row[k]?.trim() === "" ? NaN : Number(row[k]));
    const sum = shares.reduce((a, b) => a + b, 0);
    if (row.length !== header.length) {
      refuse(line, `has ${count(row.length, "cell")}, wanted ${header.length}`);
    }
    if (!shares.every((share) => share >= 0 && share <= 1 + ROUNDED)) {
      refuse(line, `(${file}) has ${shares.join(", ")}, wanted probabilities from 0 to 1`);
    }
    if (Math.abs(sum - 1) > ROUNDED) refuse(line, `(${file}) adds up to ${sum}, wanted 1`);
    if (table.has(file)) refuse(line, `names ${file} again`);
    table.set(file, Float32Array.from(shares, (share) => share / sum));
  });
  if (table.size === 0) throw new DataError(`Cannot use ${name}: it names no photo`);
  return table;
}

/** What of a table some photos have, in their order. */
export interface MatchedLabels {
  /** Undefined for a photo that the table does not name: it is of its folder's class. */
  readonly labels: readonly (Float32Array | undefined)[];
  /** Names in the table that are no such photo's. */
  readonly unused: readonly string[];
}

/**
 * The labels of photos in the folder `dir`: the table names a photo by its path in that folder, by `CLASS/FILE`, or by the file's own
 * name where only one of them has it.
 */
export function matchSoftLabels(
  table: SoftLabels,
  dir: string,
  photos: readonly ListedPhoto[],
): MatchedLabels {
  const own = (file: string) => file.slice(file.lastIndexOf("/") + 1);
  const times = new Map<string, number>();
  for (const { file } of photos) times.set(own(file), (times.get(own(file)) ?? 0) + 1);
  const used = new Set<string>();
  const labels = photos.map(({ path, class: name, file }) => {
    const names = [nameBelow(dir, path).replaceAll("\\", "/"), `${name}/${file}`];
    if (times.get(own(file)) === 1) names.push(own(file));
    const found = names.find((candidate) => table.has(candidate));
    if (found === undefined) return undefined;
    used.add(found);
    return table.get(found);
  });
  return { labels, unused: [...table.keys()].filter((file) => !used.has(file)) };
}

/** The class of a label that leaves no doubt; undefined for others. */
export function certainClass(label: Float32Array): number | undefined {
  const at = label.indexOf(1);
  return at >= 0 && label.every((share, c) => c === at || share === 0) ? at : undefined;
}
