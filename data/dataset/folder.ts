/**
 * Opens a folder of photos as a data set. Three layouts, tried in this order:
 *
 * - `DIR/SPLIT.tsv` names the split, class and file of each photo (see `readSplitTable`);
 * - `DIR/{train,valid,test}/<class>/*`, where `val` and `validation` also mean `valid`;
 * - `DIR/<class>/*`, split at random by class into 0.8, 0.1 and 0.1.
 * @module
 */
import { basename, join, resolve } from "@std/path";
import {
  DataError,
  type FoundPhoto,
  imageNames,
  listClasses,
  listFolder,
  readSplitTable,
  SPLIT_NAMES,
  SPLIT_TABLE,
  type SplitName,
} from "./listing.ts";
import { seededSplit } from "./sampler.ts";

export { DataError };

/** One photo: where it lies and what it shows; `label` is the index of `class` in the data set's classes. */
export interface Sample {
  readonly path: string;
  readonly label: number;
  readonly class: string;
}

/** The photos of a folder. */
export interface Dataset {
  /** The folder's own name. */
  readonly name: string;
  /** In the order of the labels. */
  readonly classes: readonly string[];
  /** Sorted by class name, then file name. */
  readonly splits: Readonly<Record<SplitName, readonly Sample[]>>;
  /** How the split came about, as a phrase for people. */
  readonly origin: string;
}

/**
 * Finds the photos in `dir`. `classes` chooses classes and their order (default: all, sorted); `seed` decides a random split.
 * Throws a `DataError` where no data set can be made of the folder.
 */
export async function openDataset(
  dir: string,
  { classes: chosen, seed }: { classes?: readonly string[] | undefined; seed: number },
): Promise<Dataset> {
  const { folders, files } = await listFolder(dir);
  const { photos, origin } = files.includes(SPLIT_TABLE)
    ? { photos: await readSplitTable(dir), origin: SPLIT_TABLE }
    : folders.includes("train") && folders.every((name) => SPLIT_NAMES.has(name))
    ? await readSplitFolders(dir, folders, chosen, seed)
    : await readClassFolders(dir, folders, files, chosen, seed);
  const classes = chooseClasses(dir, [...new Set(photos.map((photo) => photo.class))].sort(), chosen);
  const labels = new Map(classes.map((name, label) => [name, label]));
  const splits: Record<SplitName, Sample[]> = { train: [], valid: [], test: [] };
  for (const { split, class: name, path } of photos.sort(byClassAndPath)) {
    const label = labels.get(name);
    if (label !== undefined) splits[split].push({ path, label, class: name });
  }
  const trained = new Set(splits.train.map((sample) => sample.label));
  const missing = classes.find((_, label) => !trained.has(label));
  if (missing !== undefined) {
    throw new DataError(`Cannot train on ${dir}: class "${missing}" has no training image`);
  }
  return { name: basename(resolve(dir)), classes, splits, origin };
}

/** Throws a `DataError` unless the training split fills one batch. */
export function requireBatch(dataset: Dataset, batchSize: number): void {
  const count = dataset.splits.train.length;
  if (count < batchSize) {
    throw new DataError(
      `Cannot train on ${dataset.name}: it has ${count} training images, expected at least one batch of ${batchSize}`,
    );
  }
}

function byClassAndPath(a: FoundPhoto, b: FoundPhoto): number {
  if (a.class !== b.class) return a.class < b.class ? -1 : 1;
  return a.path < b.path ? -1 : 1;
}

type Found = { photos: FoundPhoto[]; origin: string };

async function readClassFolders(
  dir: string,
  folders: readonly string[],
  files: readonly string[],
  chosen: readonly string[] | undefined,
  seed: number,
): Promise<Found> {
  if (folders.length === 0) {
    const what = imageNames(files).length > 0 ? "its photos are in no class folder" : "it is empty";
    throw new DataError(`Cannot use ${dir}: ${what}, expected photos in ${join(dir, "<class>", "*.jpg")}`);
  }
  const photos = await listClasses(dir, chooseClasses(dir, folders, chosen));
  const shares = { valid: 0.1, test: 0.1 };
  return { photos: seededSplit(photos, seed, shares), origin: `split 80/10/10 by class with seed ${seed}` };
}

async function readSplitFolders(
  dir: string,
  folders: readonly string[],
  chosen: readonly string[] | undefined,
  seed: number,
): Promise<Found> {
  const present = new Map<string, string[]>();
  for (const folder of folders) present.set(folder, (await listFolder(join(dir, folder))).folders);
  if (present.get("train")!.length === 0) {
    throw new DataError(
      `Cannot use ${dir}: its train folder has no class folder, expected train/<class>/*.jpg`,
    );
  }
  const all = [...new Set([...present.values()].flat())].sort();
  const wanted = new Set(chooseClasses(dir, all, chosen));
  const bySplit = new Map<SplitName, FoundPhoto[]>();
  for (const [folder, classes] of present) {
    const split = SPLIT_NAMES.get(folder)!;
    if (bySplit.has(split)) {
      throw new DataError(`Cannot use ${dir}: more than one of its folders is the ${split} split`);
    }
    const photos = await listClasses(join(dir, folder), classes.filter((name) => wanted.has(name)));
    bySplit.set(split, photos.map((photo) => ({ ...photo, split })));
  }
  if (bySplit.has("valid")) {
    return { photos: [...bySplit.values()].flat(), origin: `folders ${folders.join(", ")}` };
  }
  const train = seededSplit(bySplit.get("train") ?? [], seed, { valid: 0.1, test: 0 });
  return {
    photos: [...train, ...bySplit.get("test") ?? []],
    origin: `folders ${folders.join(", ")}; validation is 10 % of train with seed ${seed}`,
  };
}

/** The classes to use, in order: those chosen, all of which must be present, or else all. */
function chooseClasses(
  dir: string,
  present: readonly string[],
  chosen: readonly string[] | undefined,
): readonly string[] {
  if (chosen === undefined) return present;
  const unknown = chosen.find((name) => !present.includes(name));
  if (unknown !== undefined) {
    throw new DataError(
      `Cannot use ${dir}: it has no class "${unknown}", its classes are ${present.join(", ")}`,
    );
  }
  const twice = chosen.find((name, i) => chosen.indexOf(name) !== i);
  if (twice !== undefined) throw new DataError(`Cannot use ${dir}: class "${twice}" was asked for twice`);
  if (chosen.length === 0) throw new DataError(`Cannot use ${dir}: no class was asked for`);
  return chosen;
}
