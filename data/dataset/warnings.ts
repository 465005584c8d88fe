/**
 * What a data set may mislead its user with: classes that are alone, tiny or unequal, and the same photo on both sides of a split.
 * @module
 */
import { createHash } from "node:crypto";
import { count } from "../../engine/text.ts";
import type { Dataset, Sample } from "./folder.ts";
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
  }
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

function listed(names: readonly string[]): string {
  return names.slice(0, 5).join(", ") +
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
