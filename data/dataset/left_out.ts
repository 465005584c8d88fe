/**
 * What of a folder is not used, in sentences for people: files, and folders that lie where classes do and are none of a model's or a run's.
 * @module
 */
import { count } from "../../engine/text.ts";
import type { Dataset } from "./folder.ts";
import { difference, lookalike, nameList, quoteName } from "./names.ts";
import { leftOutText, LOOSE, walkPhotos } from "./walk.ts";

/** What of a data set is not used, by reason, and of how many files; what lies beside the classes and is no photo is not counted. */
export function datasetLeftOutText({ dir, splits, leftOut }: Dataset): string | undefined {
  const beside = leftOut.some(({ reason }) => reason === LOOSE) ? " and photos beside them" : "";
  const files = Object.values(splits).flat().length + leftOut.length;
  return leftOutText(dir, leftOut, files, ` in class folders${beside}`);
}

/** Folders that are none of the classes, which `owner` has, with the files in them, which nothing else counts; undefined for none. */
export async function otherClassesText(
  { others, classes }: Pick<Dataset, "others" | "classes">,
  owner: string,
): Promise<string | undefined> {
  const counts = new Map<string, number>();
  for (const [name, folders] of others) {
    const files = await Promise.all(folders.map(filesIn));
    const sum = files.reduce((a, b) => a + b, 0);
    if (sum > 0) counts.set(name, sum);
  }
  if (counts.size === 0) return undefined;
  const names = [...counts.keys()], files = [...counts.values()].reduce((a, b) => a + b, 0);
  const near = names.flatMap((name) => {
    const other = lookalike(name, classes);
    return other ? [`; ${quoteName(name)} and ${quoteName(other)} differ ${difference(name, other)}`] : [];
  });
  return `Left out ${
    count(names.length, `folder that is no class of ${owner}`, `folders that are no classes of ${owner}`)
  }: ${nameList(names)} (${count(files, "file")})${near.slice(0, 3).join("")}`;
}

async function filesIn(folder: string): Promise<number> {
  try {
    const { photos, leftOut } = await walkPhotos(folder);
    return photos.length + leftOut.length;
  } catch {
    return 0; // one that cannot be read has none for us
  }
}
