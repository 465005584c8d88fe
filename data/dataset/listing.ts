/**
 * Sorted listings of a data set's folders: what is found never depends on the order in which a file system lists it.
 * @module
 */
import { join } from "@std/path";
import { DataError } from "../data_error.ts";

/** What a sample is for. */
export type SplitName = "train" | "valid" | "test";

/** Folder names and table entries that stand for a split. */
export const SPLIT_NAMES: ReadonlyMap<string, SplitName> = new Map([
  ["train", "train"],
  ["valid", "valid"],
  ["val", "valid"],
  ["validation", "valid"],
  ["test", "test"],
]);

/** A photo before its class has a number. */
export interface FoundPhoto {
  readonly split: SplitName;
  readonly class: string;
  readonly path: string;
}

const IMAGE_NAME = /\.(jpe?g|png|gif|tiff?)$/i;

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

/** Those of `files` that are named as JPEG, PNG, GIF or TIFF. */
export function imageNames(files: readonly string[]): string[] {
  return files.filter((name) => IMAGE_NAME.test(name));
}

/** The photos of `parent/<class>/` for every folder, sorted by class and name; a class without one is a `DataError`. */
export async function listClasses(
  parent: string,
  folders: readonly string[],
): Promise<{ class: string; path: string }[]> {
  const photos: { class: string; path: string }[] = [];
  for (const folder of folders) {
    const names = imageNames((await listFolder(join(parent, folder))).files);
    if (names.length === 0) {
      throw new DataError(
        `Cannot use class "${folder}": ${join(parent, folder)} holds no JPEG, PNG, GIF or TIFF file`,
      );
    }
    for (const name of names) photos.push({ class: folder, path: join(parent, folder, name) });
  }
  return photos;
}
