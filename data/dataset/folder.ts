/**
 * Opens a folder of photos as a data set. Three layouts, tried in this order:
 *
 * - `DIR/SPLIT.tsv` names the split, class and file of each photo (see `readSplitTable`);
 * - `DIR/{train,valid,test}/<class>/*`, one of them or more, where `val` and `validation` also mean `valid`;
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

/** One photo: where it lies and what it shows. */
export interface Sample {
  /** The file. */
  readonly path: string;
  /** Index of `class` in the data set's classes. */
  readonly label: number;
  /** The class's name. */
  readonly class: string;
}

/** The photos of a folder. */
export interface Dataset {
  /** The folder as it was named. */
  readonly dir: string;
  /** The folder's own name. */
  readonly name: string;
  /** In the order of the labels. */
  readonly classes: readonly string[];
  /** Sorted by class name, then file name. */
  readonly splits: Readonly<Record<SplitName, readonly Sample[]>>;
  /** Whether the seed decided the split, because the folder has none of its own. */
  readonly seeded: boolean;
  /** Classes that were asked for and of which there is no photo. */
  readonly missing: readonly string[];
  /** How the split came about, as a phrase for people. */
  readonly origin: string;
}

/** What is wanted of a folder. */
export interface DatasetOptions {
  /** Chooses classes and their order; default: all, sorted. */
  readonly classes?: readonly string[] | undefined;
  /** Decides a random split. */
  readonly seed: number;
  /** Whether chosen classes may have no photo: they are `missing` then, and keep their labels. Default: that is a `DataError`. */
  readonly allowMissing?: boolean;
}

/** Finds the photos in `dir`. Throws a `DataError` where no data set can be made of the folder. */
export async function openDataset(dir: string, options: DatasetOptions): Promise<Dataset> {
  const { folders, files } = await listFolder(dir);
  const { photos, origin, seeded = false } = await readPhotos(dir, folders, files, options);
  const present = [...new Set(photos.map((photo) => photo.class))].sort();
  const classes = chooseClasses(dir, present, options);
  const labels = new Map(classes.map((name, label) => [name, label]));
  const splits: Record<SplitName, Sample[]> = { train: [], valid: [], test: [] };
  for (const { split, class: name, path } of photos.sort(byClassAndPath)) {
    const label = labels.get(name);
    if (label !== undefined) splits[split].push({ path, label, class: name });
  }
  return {
    dir,
    name: basename(resolve(dir)),
    classes,
    splits,
    seeded,
    missing: classes.filter((name) => !present.includes(name)),
    origin,
  };
}

/** Throws a `DataError` unless every class has a training photo and the training split fills one batch. */
export function requireBatch(dataset: Dataset, batchSize: number): void {
  const trained = new Set(dataset.splits.train.map((sample) => sample.label));
  const without = dataset.classes.find((_, label) => !trained.has(label));
  if (without !== undefined) {
    throw new DataError(`Cannot train on ${dataset.dir}: class "${without}" has no training image`);
  }
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

/** `seeded`: the folder has no split of its own. */
type Found = { photos: FoundPhoto[]; origin: string; seeded?: true };

async function readPhotos(
  dir: string,
  folders: readonly string[],
  files: readonly string[],
  options: DatasetOptions,
): Promise<Found> {
  if (files.includes(SPLIT_TABLE)) return { photos: await readSplitTable(dir), origin: SPLIT_TABLE };
  return await isSplit(dir, folders)
    ? await readSplitFolders(dir, folders, options)
    : await readClassFolders(dir, folders, files, options);
}

/** Whether the folders are splits and not classes: one is called train, or each holds folders and no photo. */
async function isSplit(dir: string, folders: readonly string[]): Promise<boolean> {
  if (folders.length === 0 || !folders.every((name) => SPLIT_NAMES.has(name))) return false;
  if (folders.includes("train")) return true;
  const inside = await Promise.all(folders.map((name) => listFolder(join(dir, name))));
  return inside.every(({ folders, files }) => folders.length > 0 && imageNames(files).length === 0);
}

async function readClassFolders(
  dir: string,
  folders: readonly string[],
  files: readonly string[],
  options: DatasetOptions,
): Promise<Found> {
  if (folders.length === 0) {
    const what = imageNames(files).length > 0 ? "its photos are in no class folder" : "it is empty";
    throw new DataError(`Cannot use ${dir}: ${what}, expected photos in ${join(dir, "<class>", "*.jpg")}`);
  }
  const photos = await listClasses(dir, wanted(folders, chooseClasses(dir, folders, options)), options);
  const { seed } = options;
  return {
    photos: seededSplit(photos, seed, { valid: 0.1, test: 0.1 }),
    origin: `split 80/10/10 by class with seed ${seed}`,
    seeded: true,
  };
}

async function readSplitFolders(
  dir: string,
  folders: readonly string[],
  options: DatasetOptions,
): Promise<Found> {
  const present = new Map<string, string[]>();
  for (const folder of folders) present.set(folder, (await listFolder(join(dir, folder))).folders);
  if (present.get("train")?.length === 0) {
    throw new DataError(
      `Cannot use ${dir}: its train folder has no class folder, expected train/<class>/*.jpg`,
    );
  }
  const classes = chooseClasses(dir, [...new Set([...present.values()].flat())].sort(), options);
  const bySplit = new Map<SplitName, FoundPhoto[]>();
  for (const [folder, inside] of present) {
    const split = SPLIT_NAMES.get(folder)!;
    if (bySplit.has(split)) {
      throw new DataError(`Cannot use ${dir}: more than one of its folders is the ${split} split`);
    }
    const photos = await listClasses(join(dir, folder), wanted(inside, classes), options);
    bySplit.set(split, photos.map((photo) => ({ ...photo, split })));
  }
  const origin = `folders ${folders.join(", ")}`, given = [...bySplit.values()].flat();
  const train = bySplit.get("train");
  if (train === undefined || bySplit.has("valid")) return { photos: given, origin };
  const { seed } = options;
  return {
    photos: [...seededSplit(train, seed, { valid: 0.1, test: 0 }), ...bySplit.get("test") ?? []],
    origin: `${origin}; validation is 10 % of train with seed ${seed}`,
  };
}

function wanted(present: readonly string[], classes: readonly string[]): string[] {
  return classes.filter((name) => present.includes(name));
}

/** The classes to use, in order: those chosen, or else all. */
function chooseClasses(
  dir: string,
  present: readonly string[],
  { classes: chosen, allowMissing }: DatasetOptions,
): readonly string[] {
  if (chosen === undefined) return present;
  const unknown = chosen.filter((name) => !present.includes(name));
  const missing = allowMissing && unknown.length < chosen.length ? undefined : unknown[0];
  if (missing !== undefined) {
    const which = allowMissing ? `none of the classes ${chosen.join(", ")}` : `no class "${missing}"`;
    throw new DataError(`Cannot use ${dir}: it has ${which}, its classes are ${present.join(", ")}`);
  }
  const twice = chosen.find((name, i) => chosen.indexOf(name) !== i);
  if (twice !== undefined) throw new DataError(`Cannot use ${dir}: class "${twice}" was asked for twice`);
  if (chosen.length === 0) throw new DataError(`Cannot use ${dir}: no class was asked for`);
  return chosen;
}
