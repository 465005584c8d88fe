/**
 * What a data set may mislead its user with: classes that are alone, tiny or unequal, and the same photo on both sides of a split.
 * @module
 */
import { createHash } from "node:crypto";
import { count } from "../../engine/text.ts";
import type { Dataset, Sample } from "./folder.ts";
import { join } from "@std/path";
import { IMAGES } from "./layout.ts";
import { splitNamed } from "./listing.ts";
import { quoteName } from "./names.ts";
import { nameBelow } from "./walk.ts";

/** From this ratio of the largest class to the smallest on, accuracy can hide that a class is never found. */
const UNEQUAL = 4;

/** What should be said before training on a data set, each in one sentence. */
export function datasetWarnings(dataset: Dataset): string[] {
  const { classes, splits } = dataset;
  const counts = classes.map((name, label) => ({
    name,
    train: splits.train.filter((sample) => sample.label === label).length,
    all: Object.values(splits).flat().filter((sample) => sample.label === label).length,
  }));
  const warnings: string[] = [];
  if (classes.length === 1) {
    const folders = new Set(
      splits.train.map(({ file }) => file.split("/")[0]!).filter((name) => !name.includes(".")),
    );
    const inner = folders.size > 1
      ? `; the folders in it (${[...folders].slice(0, 3).join(", ")}) are no classes`
      : "";
    warnings.push(
      `there is one class only, ${classes[0]}: every answer is right, and nothing is learnt${inner}`,
    );
  } else warnings.push(...nestedFolders(dataset), ...imagesAsClass(dataset));
  const single = counts.filter(({ all }) => all === 1).map(({ name }) => name);
  if (single.length > 0) {
    warnings.push(
      `${listed(single)} ${single.length > 1 ? "have" : "has"} one photo only, which nothing can test`,
    );
  }
  const [least, most] = [Math.min, Math.max].map((pick) => pick(...counts.map(({ train }) => train))) as [
    number,
    number,
  ];
  if (least > 0 && most / least >= UNEQUAL) {
    const of = (n: number) => counts.find(({ train }) => train === n)!.name;
    warnings.push(
      `classes are unequal: ${of(most)} has ${count(most, "training photo")}, ${of(least)} ${least} (${
        (most / least).toFixed(1)
      } to 1); look at the balanced accuracy, and --class-weights balanced gives them equal shares`,
    );
  }
  return [...warnings, ...sharedPhotos(dataset)];
}

/** Classes whose photos all lie in several folders of theirs, which may have been meant as the classes. */
function nestedFolders({ dir, classes, splits }: Dataset): string[] {
  const photos = Map.groupBy(Object.values(splits).flat(), ({ class: name }) => name);
  const nested = classes.flatMap((name) => {
    const parts = (photos.get(name) ?? []).map(({ file }) => file.split("/"));
    const folders = [...new Set(parts.map(([first]) => first!))].sort();
    return folders.length > 1 && parts.every(({ length }) => length > 1) ? [{ name, folders }] : [];
  });
  if (nested.length === 0) return [];
  const { name, folders } = nested[0]!;
  const others = nested.length > 1 ? ` (and so in ${listed(nested.slice(1).map(({ name }) => name))})` : "";
  const inside = folders.slice(0, 3).join(", ") + (folders.length > 3 ? ", …" : "");
  if (folders.every(splitNamed)) {
    return [
      `the folders in ${name} (${inside}) are no splits${others}; for splits, lay the photos out as ` +
      `${join(dir, folders[0]!, name, "*.jpg")}`,
    ];
  }
  return [
    `the folders in ${name} (${inside}) are no classes of their own${others}; for a class each, move them to ` +
    `where ${name} is, or give --data ${join(dir, name)}`,
  ];
}

/** A folder that is named as one of all photos, beside others. */
function imagesAsClass({ classes }: Dataset): string[] {
  const found = classes.filter((name) => IMAGES.test(name)), others = classes.filter((n) => !IMAGES.test(n));
  if (found.length === 0 || others.length === 0) return [];
  return [`${listed(found)} is taken for a class beside ${listed(others)}; --classes chooses others`];
}

function listed(names: readonly string[]): string {
  return names.slice(0, 5).map(quoteName).join(", ") +
    (names.length > 5 ? ` and ${count(names.length - 5, "more class", "more classes")}` : "");
}

/** Held-out photos that are also training photos, byte by byte; only files of equal size are read. */
function sharedPhotos({ dir, splits }: Dataset): string[] {
  const held = [...splits.valid, ...splits.test];
  const trained = Map.groupBy(splits.train, sizeOf);
  const hashes = new Map<number, Map<string, Sample>>();
  const pairs: [Sample, Sample][] = [];
  for (const photo of held) {
    const size = sizeOf(photo), same = trained.get(size);
    if (size === undefined || same === undefined) continue;
    if (!hashes.has(size)) hashes.set(size, new Map(same.map((other) => [contentOf(other), other])));
    const other = hashes.get(size)!.get(contentOf(photo));
    if (other) pairs.push([photo, other]);
  }
  if (pairs.length === 0) return [];
  const [a, b] = pairs[0]!.map(({ path }) => nameBelow(dir, path));
  return [
    `${pairs.length} of ${count(held.length, "held-out photo")} ${
      pairs.length === 1 ? "is a training photo" : "are training photos"
    } too (${a} is ${b})`,
  ];
}

function sizeOf({ path }: Sample): number | undefined {
  try {
    return Deno.statSync(path).size;
  } catch {
    return undefined; // found out when it is decoded
  }
}

function contentOf({ path }: Sample): string {
  try {
    return createHash("sha256").update(Deno.readFileSync(path)).digest("base64");
  } catch {
    return path;
  }
}
