/**
 * What a data set may mislead its user with: classes that are alone, tiny, unequal or hardly tested, named alike, and the same photo in
 * two places.
 * @module
 */
import { count } from "../../engine/text.ts";
import type { Dataset } from "./folder.ts";
import { join } from "@std/path";
import { IMAGES } from "./layout.ts";
import { splitNamed } from "./listing.ts";
import { difference, lookalike, quoteName } from "./names.ts";
import { sharedPhotos } from "./shared_photos.ts";

/** From this ratio of the largest class to the smallest on, accuracy can hide that a class is never found. */
const UNEQUAL = 4;

/** What should be said before training on a data set, each in one sentence; of photos that it has twice unless that is told elsewhere. */
export function datasetWarnings(dataset: Dataset, { duplicates = true } = {}): string[] {
  const { classes, splits } = dataset;
  const counts = classes.map((name, label) => ({
    name,
    train: splits.train.filter((sample) => sample.label === label).length,
    all: Object.values(splits).flat().filter((sample) => sample.label === label).length,
  }));
  const warnings: string[] = [];
  if (dataset.empty.length > 0) {
    const why = dataset.empty.length > 1
      ? "classes, since their folders hold"
      : "class, since its folder holds";
    warnings.push(`left out as no ${why} no photo: ${listed(dataset.empty)}`);
  }
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
  const shared = duplicates ? sharedPhotos(dataset) : [];
  return [...warnings, ...hardlyTested(dataset), ...namedAlike(dataset), ...shared];
}

/** Classes of which a held-out split has one photo or none, and not because that is all there is. */
function hardlyTested({ classes, splits }: Dataset): string[] {
  if (classes.length < 2) return [];
  const of = (split: keyof Dataset["splits"]) => {
    const counts = new Array<number>(classes.length).fill(0);
    for (const { label } of splits[split]) counts[label]!++;
    return counts;
  };
  const [train, valid, test] = [of("train"), of("valid"), of("test")];
  return ([["validation", valid], ["test", test]] as const).flatMap(([split, counts]) => {
    if (counts.every((n) => n === 0)) return []; // there is no such split
    const having = (n: number) =>
      classes.filter((_, k) => counts[k] === n && train[k]! + valid[k]! + test[k]! > 1);
    const parts = [[having(0), "no photo"], [having(1), "1 photo"]] as const;
    const texts = parts.filter(([names]) => names.length > 0).map(([names, what]) =>
      `${what} of ${names.length > 1 && what === "1 photo" ? "each of " : ""}${listed(names)}`
    );
    return texts.length > 0 ? [`${split} has ${texts.join(", ")}: its figures say little`] : [];
  });
}

/** Classes that are one for whoever reads their names. */
function namedAlike({ classes }: Dataset): string[] {
  const pairs = classes.flatMap((name, k) => {
    const other = lookalike(name, classes.slice(k + 1));
    return other ? [[name, other] as const] : [];
  });
  return pairs.slice(0, 3).map(([a, b]) =>
    `the classes ${quoteName(a)} and ${quoteName(b)} differ ${difference(a, b)}`
  );
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
