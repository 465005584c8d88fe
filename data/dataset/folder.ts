/**
 * Opens a folder of photos as a data set. Three layouts, tried in this order:
 *
 * - `DIR/SPLIT.tsv` names the split, class and file of each photo (see `readSplitTable`);
 * - `DIR/{train,valid,test}/<class>/*`, one of them or more, under the usual names (see `splitNamed`);
 * - `DIR/<class>/*`, split by a hash of the photos' names into 0.8, 0.1 and 0.1 (see `hashedSplit`).
 *
 * Folders in a class's folder belong to the class. A folder that lies alone around any of these is passed through (see `findLayout`).
 * @module
 */
import { basename, join, resolve } from "@std/path";
import { findClasses, findLayout, type Layout, type Level } from "./layout.ts";
import {
  DataError,
  type FoundPhoto,
  listClasses,
  type Listed,
  readSplitTable,
  SPLIT_TABLE,
  type SplitName,
  splitNamed,
} from "./listing.ts";
import { lookalikeHint, nameList, quoteName } from "./names.ts";
import { hashedSplit, shuffledSplit, SPLIT_RULE } from "./sampler.ts";
import { imageNames, type LeftOut, LOOSE, walkPhotos } from "./walk.ts";

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

/** A photo of a data set. */
export interface ListedPhoto extends Sample {
  /** Its path in the class's folder, with `/` between the parts. */
  readonly file: string;
}

/** The photos of a folder. */
export interface Dataset {
  /** The folder as it was named. */
  readonly dir: string;
  /** The folder's own name. */
  readonly name: string;
  /** In the order of the labels. */
  readonly classes: readonly string[];
  /** Sorted by class name, then path. */
  readonly splits: Readonly<Record<SplitName, readonly ListedPhoto[]>>;
  /** Files of the classes' folders that are not used. */
  readonly leftOut: readonly LeftOut[];
  /** Photos that could not be decoded, which `leftOut` has too; none before decoding was tried. */
  readonly undecoded: readonly ListedPhoto[];
  /** The folders of classes that were not asked for, by the class's name. */
  readonly others: ReadonlyMap<string, readonly string[]>;
  /** Classes without any file, which were not asked for and are left out. */
  readonly empty: readonly string[];
  /** Whether the seed decided the split, because the folder has none of its own. */
  readonly seeded: boolean;
  /** Classes that were asked for and of which there is no photo. */
  readonly missing: readonly string[];
  /** How the split came about, as a phrase for people. */
  readonly origin: string;
  /** What was understood of the folder's layout and is not plain to see, as phrases for people. */
  readonly notes: readonly string[];
}

/** What is wanted of a folder. */
export interface DatasetOptions {
  /** Chooses classes and their order; default: all, sorted. */
  readonly classes?: readonly string[] | undefined;
  /** Decides a random split. */
  readonly seed: number;
  /** Whether chosen classes may have no photo: they are `missing` then, and keep their labels. Default: that is a `DataError`. */
  readonly allowMissing?: boolean;
  /** The version of the rule that lists and splits; default: the newest. Runs of older versions go on with theirs. */
  readonly rule?: number | undefined;
}

/** Finds the photos in `dir`. Throws a `DataError` where no data set can be made of the folder. */
export async function openDataset(dir: string, options: DatasetOptions): Promise<Dataset> {
  const layout = await findLayout(dir, options.classes);
  const { root, files } = layout;
  const found = await readPhotos(dir, layout, options);
  const { photos, origin, leftOut, seeded = false, notes = [], others = new Map(), empty = [] } = found;
  const present = [...new Set(photos.map((photo) => photo.class))].sort();
  requireTwo(dir, present, empty);
  const classes = chooseClasses(dir, present, options);
  const labels = new Map(classes.map((name, label) => [name, label]));
  const splits: Record<SplitName, ListedPhoto[]> = { train: [], valid: [], test: [] };
  for (const { split, class: name, path, file } of photos.sort(byClassAndPath)) {
    const label = labels.get(name);
    if (label !== undefined) splits[split].push({ path, label, class: name, file });
  }
  return {
    dir,
    name: basename(resolve(dir)),
    classes,
    splits,
    leftOut: [
      ...layout.leftOut,
      ...leftOut,
      ...imageNames(files).map((file) => ({ path: join(root, file), reason: LOOSE })),
    ],
    undecoded: [],
    others,
    empty,
    seeded,
    missing: classes.filter((name) => !present.includes(name)),
    origin,
    notes: [...new Set([...layout.notes, ...notes])],
  };
}

/** Throws a `DataError` where an empty folder leaves less than two classes. */
function requireTwo(dir: string, present: readonly string[], [empty]: readonly string[]): void {
  if (empty === undefined || present.length > 1) return;
  throw new DataError(
    `Cannot use class "${empty}" of ${dir}: its folder holds no photo, and without it there is ` +
      `${present.length === 1 ? `one class only, ${quoteName(present[0]!)}` : "no class"}`,
  );
}

function byClassAndPath(a: FoundPhoto, b: FoundPhoto): number {
  if (a.class !== b.class) return a.class < b.class ? -1 : 1;
  return a.path < b.path ? -1 : 1;
}

/** `seeded`: the folder has no split of its own. */
type Found = {
  photos: FoundPhoto[];
  origin: string;
  leftOut: readonly LeftOut[];
  seeded?: true;
  notes?: readonly string[];
  others?: Dataset["others"];
  empty?: readonly string[];
};

async function readPhotos(dir: string, layout: Layout, options: DatasetOptions): Promise<Found> {
  const { kind, root } = layout;
  if (kind === "splits") return await readSplitFolders(dir, layout, options);
  if (kind === "classes") return await readClassFolders(dir, layout, options);
  const photos = await readSplitTable(root);
  const names = [...new Set(photos.map((photo) => photo.class))].sort();
  const others = othersOf([{ root, folders: names }], options.classes ?? names);
  return { photos, origin: SPLIT_TABLE, leftOut: await unlisted(root, photos, options), others };
}

/** The folders at these levels that are none of the classes, by their names. */
function othersOf(
  levels: readonly Pick<Level, "root" | "folders">[],
  classes: readonly string[],
): Map<string, string[]> {
  const others = new Map<string, string[]>();
  for (const { root, folders } of levels) {
    for (const name of folders) {
      if (!classes.includes(name)) others.set(name, [...others.get(name) ?? [], join(root, name)]);
    }
  }
  return others;
}

/** What lies in the folders of a table's classes and is not in the table. */
async function unlisted(
  dir: string,
  photos: readonly FoundPhoto[],
  { classes }: DatasetOptions,
): Promise<LeftOut[]> {
  const paths = new Set(photos.map((photo) => photo.path));
  const leftOut: LeftOut[] = [];
  for (const name of new Set(photos.map((photo) => photo.class))) {
    if (classes && !classes.includes(name)) continue;
    const walked = await walkPhotos(join(dir, name));
    for (const file of walked.photos) {
      const path = join(dir, name, file);
      if (!paths.has(path)) leftOut.push({ path, reason: `not in ${SPLIT_TABLE}` });
    }
    leftOut.push(...walked.leftOut.filter(({ path }) => !paths.has(path)));
  }
  return leftOut;
}

/** The split that a folder does not have of its own, by the rule's version. */
function drawn(
  photos: Listed["photos"],
  { seed, rule = SPLIT_RULE }: DatasetOptions,
  test: number,
): FoundPhoto[] {
  return (rule === 1 ? shuffledSplit : hashedSplit)(photos, seed, { valid: 0.1, test });
}

async function readClassFolders(
  dir: string,
  { root, folders }: Level,
  options: DatasetOptions,
): Promise<Found> {
  const chosen = wanted(folders, chooseClasses(dir, folders, options));
  const { photos, leftOut } = await listClasses(root, chosen, listing(options));
  const about = options.rule === 1 ? "" : "about "; // a hash decides, see `hashedSplit`
  const origin = `split ${about}80/10/10 by class with seed ${options.seed}`;
  const empty = options.classes ? [] : withoutPhoto(chosen, photos);
  const others = othersOf([{ root, folders }], chosen);
  return { photos: drawn(photos, options, 0.1), origin, leftOut, seeded: true, others, empty };
}

async function readSplitFolders(
  dir: string,
  { root, folders }: Level,
  options: DatasetOptions,
): Promise<Found> {
  const present = new Map<SplitName, Level>();
  for (const folder of folders) {
    const split = splitNamed(folder)!;
    if (present.has(split)) {
      const which = folders.filter((name) => splitNamed(name) === split).join(" and ");
      throw new DataError(
        `Cannot use ${dir}: more than one of its folders is the ${split} split (${which}), expected one`,
      );
    }
    const required = split === "train";
    present.set(split, await findClasses(dir, join(root, folder), { chosen: options.classes, required }));
  }
  const levels = [...present.values()];
  const all = [...new Set(levels.flatMap(({ folders }) => folders))].sort();
  const classes = chooseClasses(dir, all, options);
  const bySplit = new Map<SplitName, FoundPhoto[]>();
  const leftOut: LeftOut[] = [];
  for (const [split, level] of present) {
    const listed = await listClasses(level.root, wanted(level.folders, classes), {
      ...listing(options),
      // A class that cannot be tested can be trained.
      ...split !== "train" && { allowMissing: true },
    });
    bySplit.set(split, listed.photos.map((photo) => ({ ...photo, split })));
    for (const file of imageNames(level.files)) {
      leftOut.push({ path: join(level.root, file), reason: LOOSE });
    }
    leftOut.push(...level.leftOut, ...listed.leftOut);
  }
  const origin = `folders ${folders.join(", ")}`, given = [...bySplit.values()].flat();
  const found = {
    leftOut,
    notes: levels.flatMap(({ notes }) => notes),
    others: othersOf(levels, classes),
    empty: options.classes ? [] : withoutPhoto(classes, given),
  };
  const train = bySplit.get("train"), about = options.rule === 1 ? "" : "about ";
  if (train === undefined || bySplit.has("valid")) return { ...found, photos: given, origin };
  return {
    ...found,
    photos: [...drawn(train, options, 0), ...bySplit.get("test") ?? []],
    origin: `${origin}; validation is ${about}10 % of train with seed ${options.seed}`,
  };
}

function listing({ allowMissing, classes, rule }: DatasetOptions) {
  return { allowMissing, allowEmpty: classes === undefined, flat: rule === 1 };
}

function withoutPhoto(classes: readonly string[], photos: Listed["photos"]): string[] {
  const some = new Set(photos.map((photo) => photo.class));
  return classes.filter((name) => !some.has(name));
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
    const which = allowMissing ? `none of the classes ${nameList(chosen)}` : `no class "${missing}"`;
    throw new DataError(
      `Cannot use ${dir}: it has ${which}, its classes are ${nameList(present)}${
        lookalikeHint(missing, present)
      }`,
    );
  }
  const twice = chosen.find((name, i) => chosen.indexOf(name) !== i);
  if (twice !== undefined) throw new DataError(`Cannot use ${dir}: class "${twice}" was asked for twice`);
  if (chosen.length === 0) throw new DataError(`Cannot use ${dir}: no class was asked for`);
  return chosen;
}
