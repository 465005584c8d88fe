/**
 * The same photo more than once in a data set, where that misleads: in two classes, or on both sides of a split.
 * @module
 */
import { createHash } from "node:crypto";
import { count } from "../../engine/text.ts";
import { contentKey } from "./content.ts";
import type { Dataset, ListedPhoto } from "./folder.ts";
import { nameBelow } from "./walk.ts";

/** What should be said of photos that a data set has more than once, byte by byte; only files of equal size are read. */
export function sharedPhotos({ dir, splits }: Dataset): string[] {
  const trained = new Set(splits.train), held = [...splits.valid, ...splits.test];
  const across: [ListedPhoto, ListedPhoto][] = [], contradicting: [ListedPhoto, ListedPhoto][] = [];
  let unclear = 0;
  for (const photos of samePhotos([...splits.train, ...held])) {
    const first = photos.find((photo) => trained.has(photo));
    if (first) { for (const photo of photos) if (!trained.has(photo)) across.push([photo, first]); }
    const other = photos.find(({ label }) => label !== photos[0]!.label);
    if (other) {
      contradicting.push([photos[0]!, other]);
      unclear += photos.length;
    }
  }
  const example = ([a, b]: [ListedPhoto, ListedPhoto]) =>
    `${nameBelow(dir, a.path)} is ${nameBelow(dir, b.path)}`;
  const warnings: string[] = [];
  if (contradicting.length > 0) {
    warnings.push(
      `${
        count(contradicting.length, "photo lies", "photos lie")
      } in more than one class, in ${unclear} files ` +
        `whose labels contradict each other (${example(contradicting[0]!)})`,
    );
  }
  if (across.length > 0) {
    warnings.push(
      `${across.length} of ${count(held.length, "held-out photo")} ${
        across.length === 1 ? "is a training photo" : "are training photos"
      } too (${example(across[0]!)})`,
    );
  }
  return warnings;
}

/** Groups of two files or more that are equal byte by byte. */
export function samePhotos(photos: readonly ListedPhoto[]): ListedPhoto[][] {
  const keys = [sizeOf, keyOf, hashOf];
  let groups: ListedPhoto[][] = [[...photos]];
  for (const key of keys) {
    groups = groups.flatMap((group) => {
      const parts = Map.groupBy(group, key);
      parts.delete(undefined); // cannot be read, which is found out when it is decoded
      return [...parts.values()].filter(({ length }) => length > 1);
    });
  }
  return groups;
}

function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}

const sizeOf = ({ path }: ListedPhoto): number | string | undefined =>
  attempt(() => Deno.statSync(path).size);

const keyOf = ({ path }: ListedPhoto): number | string | undefined => attempt(() => contentKey(path));

const hashOf = ({ path }: ListedPhoto): number | string | undefined =>
  attempt(() => createHash("sha256").update(Deno.readFileSync(path)).digest("base64"));
