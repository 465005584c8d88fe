/**
 * Reads `SPLIT.tsv`, a fixed split: a header `split<TAB>class<TAB>file`, then one photo a line, which lies in `DIR/class/file`.
 * @module
 */
import { join } from "@std/path";
import { DataError } from "../data_error.ts";
import { type FoundPhoto, listFolder, SPLIT_NAMES } from "./listing.ts";

/** The table's file name. */
export const SPLIT_TABLE = "SPLIT.tsv";

/** The photos the table names, in its order; a line that cannot be used is a `DataError` with its number. */
export async function readSplitTable(dir: string): Promise<FoundPhoto[]> {
  const path = join(dir, SPLIT_TABLE);
  const lines = (await Deno.readTextFile(path)).replace(/^\uFEFF/, "").split(/\r?\n/);
  while (lines.at(-1) === "") lines.pop();
  const refuse = (index: number, problem: string): never => {
    throw new DataError(`Cannot use ${path}, line ${index + 1}: ${problem}`);
  };
  if (lines[0] !== "split\tclass\tfile") {
    refuse(
      0,
      `the header is ${
        JSON.stringify((lines[0] ?? "").slice(0, 80))
      }, expected split, class and file with tabs`,
    );
  }
  const folders = new Map<string, Set<string>>();
  const seen = new Set<string>();
  const photos: FoundPhoto[] = [];
  for (let i = 1; i < lines.length; i++) {
    const fields = lines[i]!.split("\t");
    if (fields.length !== 3) refuse(i, `got ${fields.length} fields, expected 3 (split, class, file)`);
    const [splitName, className, file] = fields as [string, string, string];
    const split = SPLIT_NAMES.get(splitName) ??
      refuse(i, `split "${splitName}", expected train, valid or test`);
    if (!isPlainName(className)) {
      refuse(i, `class "${className}", expected the name of a folder beside ${SPLIT_TABLE}`);
    }
    if (!isPlainName(file)) refuse(i, `file "${file}", expected a file name without a path`);
    const photo = join(dir, className, file);
    if (seen.has(photo)) refuse(i, `${photo} is listed twice`);
    seen.add(photo);
    const known = folders.get(className) ?? await filesOf(join(dir, className));
    folders.set(className, known);
    if (!known.has(file)) refuse(i, `there is no file ${photo}`);
    photos.push({ split, class: className, path: photo });
  }
  if (photos.length === 0) refuse(0, "no line follows the header");
  return photos;
}

/** A name alone: the table must not reach outside its folder. */
function isPlainName(name: string): boolean {
  return name !== "" && name !== "." && name !== ".." && !/[/\\\0]/.test(name);
}

async function filesOf(folder: string): Promise<Set<string>> {
  const isFolder = (await Deno.stat(folder).catch(() => null))?.isDirectory ?? false;
  return new Set(isFolder ? (await listFolder(folder)).files : []);
}
