/**
 * Finds the photos of a data set: sorted listings of its folders, so that what is found never depends on the order in which a file
 * system lists it, and `SPLIT.tsv`, a fixed split.
 * @module
 */
import { join } from "@std/path";
import { UserError } from "../../engine/errors.ts";
import { PHOTO_FORMAT_NAMES } from "../image/formats.ts";
import { withoutClasses } from "./names.ts";
import { type LeftOut, walkPhotos } from "./walk.ts";

/** Something is wrong with a data set, said in one sentence that names the place. */
export class DataError extends UserError {
  /** The class's name. */
  override readonly name: string = "DataError";
}

/** What a sample is for. */
export type SplitName = "train" | "valid" | "test";

/** What starts a name that stands for a split. */
const SPLIT_NAMES: ReadonlyMap<string, SplitName> = new Map([
  ["train", "train"],
  ["training", "train"],
  ["valid", "valid"],
  ["val", "valid"],
  ["validation", "valid"],
  ["test", "test"],
  ["testing", "test"],
]);

/** The split that a folder's name or a table's entry stands for, in any case: `Train`, `validation`, `test_set`. */
export function splitNamed(name: string): SplitName | undefined {
  return SPLIT_NAMES.get(name.toLowerCase().replace(/[ _-]?(set|data|images)$/, ""));
}

/** A photo before its class has a number. */
export interface FoundPhoto {
  /** What it is for. */
  readonly split: SplitName;
  /** The class's name. */
  readonly class: string;
  /** The file. */
  readonly path: string;
  /** Its path in the class's folder, with `/` between the parts. */
  readonly file: string;
}

/** Photos that have no split yet, and the files that are none. */
export interface Listed {
  /** By class, and by name in a class. */
  readonly photos: readonly Omit<FoundPhoto, "split">[];
  /** In the same order. */
  readonly leftOut: readonly LeftOut[];
}

/** Names of the visible folders and files in `path`, each sorted by code unit; links count as what they point to. */
export async function listFolder(path: string): Promise<{ folders: string[]; files: string[] }> {
  const folders: string[] = [], files: string[] = [];
  try {
    for await (const entry of Deno.readDir(path)) {
      if (entry.name.startsWith(".")) continue;
      const kind = entry.isSymlink ? await Deno.stat(join(path, entry.name)).catch(() => null) : entry;
      if (kind?.isDirectory) folders.push(entry.name);
      else if (kind?.isFile) files.push(entry.name);
    }
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) {
      throw new DataError(`Cannot read the photos: there is no folder ${path}`);
    }
    if (error instanceof Deno.errors.NotADirectory || (error as { code?: string }).code === "ENOTDIR") {
      throw new DataError(`Cannot read the photos: ${path} is a file, expected a folder`);
    }
    throw new DataError(`Cannot read the photos in ${path}: ${(error as Error).message}`);
  }
  return { folders: folders.sort(), files: files.sort() };
}

/** What those runs took for photos: the formats that were read then. */
const FLAT_NAME = /^[^/]+\.(jpe?g|png|gif|tiff?)$/i;

/** How classes are listed. */
export interface ListOptions {
  /** Whether a class may have no photo. Default: that is a `DataError`. */
  readonly allowMissing?: boolean | undefined;
  /** Whether a class may have no file at all, hidden ones aside. Default: that is a `DataError`. */
  readonly allowEmpty?: boolean | undefined;
  /** Take only files that lie in the class's folder itself and are named as photos, as runs before version 2 of the split did. */
  readonly flat?: boolean | undefined;
}

/** The photos of `parent/<class>/` and of the folders in it, for every class in `folders`. */
export async function listClasses(
  parent: string,
  folders: readonly string[],
  { allowMissing = false, allowEmpty = false, flat = false }: ListOptions = {},
): Promise<Listed> {
  const photos: Listed["photos"][number][] = [], leftOut: LeftOut[] = [];
  for (const folder of folders) {
    const path = join(parent, folder), found = await walkClass(path);
    const usable = flat ? found.photos.filter((file) => FLAT_NAME.test(file)) : found.photos;
    const empty = found.photos.length === 0 && found.leftOut.every(({ reason }) => reason === "hidden");
    if (usable.length === 0 && !allowMissing && !(allowEmpty && empty)) {
      const others = new Set(found.leftOut.map((file) => file.reason));
      const instead = others.size > 0 ? ` (but files that are ${[...others].join(", ")})` : "";
      throw new DataError(
        `Cannot use class "${folder}": ${path} holds no ${PHOTO_FORMAT_NAMES} file${instead}` +
          withoutClasses([folder], folders, "convert its files"),
      );
    }
    const kept = new Set(usable);
    for (const file of usable) photos.push({ class: folder, path: join(path, file), file });
    for (const file of found.photos) {
      if (!kept.has(file)) leftOut.push({ path: join(path, file), reason: "unknown to the run's version" });
    }
    leftOut.push(...found.leftOut);
  }
  return { photos, leftOut };
}

async function walkClass(path: string) {
  try {
    return await walkPhotos(path);
  } catch (error) {
    throw new DataError(`Cannot read the photos in ${path}: ${(error as Error).message}`);
  }
}

/** The table's file name. */
export const SPLIT_TABLE = "SPLIT.tsv";

/**
 * The photos that `SPLIT.tsv` names, in its order: a header `split<TAB>class<TAB>file`, then one photo a line, which lies in
 * `DIR/class/file`. A line that cannot be used is a `DataError` with its number.
 */
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
    const split = splitNamed(splitName) ??
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
    photos.push({ split, class: className, path: photo, file });
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
