/**
 * How a folder of photos is laid out: where its classes lie, whether its folders are splits, and which of them are neither. What people
 * have on their disks is understood where it can only mean one thing, and said; what cannot be read is refused with what is wanted.
 * @module
 */
import { join } from "@std/path";
import { DataError, listFolder, SPLIT_TABLE, splitNamed } from "./listing.ts";
import { imageNames, type LeftOut, LOOSE, nameBelow } from "./walk.ts";

/** Folders of one level: of classes, or of splits. */
export interface Level {
  /** The folder that they lie in. */
  readonly root: string;
  /** Their names, sorted. */
  readonly folders: readonly string[];
  /** The files beside them, sorted. */
  readonly files: readonly string[];
  /** The files of the folders that were passed through on the way. */
  readonly leftOut: readonly LeftOut[];
  /** What was understood and is not plain to see, in a sentence each. */
  readonly notes: readonly string[];
}

/** A data set's folder. */
export interface Layout extends Level {
  /** What its folders are; of a table they are not looked at. */
  readonly kind: "table" | "splits" | "classes";
}

/** Never of a data set: what systems and archives leave behind. */
const DEBRIS = /^(__MACOSX|@eaDir|lost\+found|System Volume Information|\$RECYCLE\.BIN)$/i;

/** Beside photos these hold what was said about them. */
const LABELS = /^(labels?|annotations?|annots?|masks?|bbox(es)?|bounding[ _-]?boxes)$/i;

/** What a folder of photos is called that stands for no class. */
export const IMAGES = /^((jpeg)?images?|imgs?|photos?|pictures?)$/i;

/** So many folders may lie around a data set; links can make a circle. */
const DEEPEST = 8;

/** Finds the classes or the splits in `dir`. `chosen` are the classes that were asked for: a folder of that name is one. */
export async function findLayout(dir: string, chosen?: readonly string[]): Promise<Layout> {
  const flat = (folder: string) => refuse(dir, folder, true);
  const level = await passWrappers(await levelOf(dir, chosen), { chosen, flat });
  const { root, files, folders } = level;
  if (files.includes(SPLIT_TABLE)) return { ...level, kind: "table" };
  const asClasses = chosen !== undefined && chosen.every((name) => folders.includes(name));
  if (!asClasses && await holdsSplits(root, folders)) {
    const others = folders.filter((name) => !splitNamed(name));
    return {
      ...level,
      kind: "splits",
      folders: folders.filter(splitNamed),
      notes: [...level.notes, ...beside(others, "splits")],
    };
  }
  if (folders.length === 0) await refuse(dir, root, imageNames(files).length > 0);
  return { ...level, kind: "classes" };
}

/** Finds the classes of a split's folder, which lies in the data set `dir`. `required` refuses a folder without one. */
export async function findClasses(
  dir: string,
  split: string,
  { chosen, required }: { readonly chosen?: readonly string[] | undefined; readonly required: boolean },
): Promise<Level> {
  const flat = (folder: string) => refuse(dir, folder, true, split);
  const level = await passWrappers(await levelOf(split, chosen), {
    ...{ chosen, inSplit: true },
    flat: required ? flat : undefined,
  });
  if (required && level.folders.length === 0) await refuse(dir, level.root, true, split);
  return level;
}

/** A folder's own level, without what holds no classes. */
async function levelOf(root: string, chosen?: readonly string[]): Promise<Level> {
  const { folders, files } = await listFolder(root);
  const among = folders.some((name) => IMAGES.test(name));
  const others: string[] = [];
  for (const name of folders) {
    if (chosen?.includes(name)) continue;
    if (DEBRIS.test(name) || LABELS.test(name) && (among || !await holdsPhoto(join(root, name)))) {
      others.push(name);
    }
  }
  return {
    ...{ root, files, leftOut: [], notes: beside(others, "classes") },
    folders: folders.filter((name) => !others.includes(name)),
  };
}

function beside(names: readonly string[], what: string): string[] {
  if (names.length === 0) return [];
  return [`left out as no ${what}: ${names.map((name) => `${name}/`).join(", ")}`];
}

/** Goes into a folder that lies alone as long as it may only be the data set itself; `flat` refuses one of photos without classes. */
async function passWrappers(
  outer: Level,
  { chosen, inSplit = false, flat }: {
    readonly chosen?: readonly string[] | undefined;
    readonly inSplit?: boolean;
    readonly flat?: ((folder: string) => Promise<never>) | undefined;
  },
): Promise<Level> {
  let level = outer;
  const passed: Level[] = [];
  for (let deep = 0; deep < DEEPEST; deep++) {
    const { root, folders: [only, other], files } = level;
    if (only === undefined || other !== undefined || imageNames(files).length > 0) break;
    if (chosen?.includes(only) || files.includes(SPLIT_TABLE)) break;
    // In a split any other folder may be the one class that it has photos of.
    const isSplit = splitNamed(only) !== undefined;
    if (inSplit ? !isSplit && !IMAGES.test(only) : isSplit) break;
    passed.push(level);
    level = await levelOf(join(root, only), chosen);
    if (imageNames(level.files).length > 0 || level.folders.length === 0) {
      if (IMAGES.test(only) && level.folders.length === 0) await flat?.(level.root);
      break;
    }
    if (level.folders.length < 2 && !await isDataset(level)) continue;
    const inner = [...passed.slice(1), level].map(({ root }) => looseFiles(root));
    return {
      ...level,
      leftOut: (await Promise.all(inner)).flat(),
      notes: [
        ...passed.flatMap(({ notes }) => notes),
        `${nameBelow(outer.root, level.root)}/ is the only folder in ${outer.root}: its folders are taken`,
        ...level.notes,
      ],
    };
  }
  return outer;
}

async function isDataset({ root, folders, files }: Level): Promise<boolean> {
  return files.includes(SPLIT_TABLE) || await holdsSplits(root, folders);
}

async function looseFiles(folder: string): Promise<LeftOut[]> {
  const entries = await Array.fromAsync(Deno.readDir(folder));
  return entries.filter(({ isFile, name }) => isFile && name !== SPLIT_TABLE).map(({ name }) => ({
    path: join(folder, name),
    reason: name.startsWith(".") ? "hidden" : LOOSE,
  })).sort((a, b) => a.path < b.path ? -1 : 1);
}

/**
 * Whether folders are splits and not classes. All of them are named so: one is for training, or each holds folders and no photo. Or
 * there are others, and one for training that holds folders and no photo.
 */
async function holdsSplits(root: string, folders: readonly string[]): Promise<boolean> {
  const splits = folders.filter(splitNamed);
  if (splits.length === 0) return false;
  const training = splits.filter((name) => splitNamed(name) === "train");
  const all = splits.length === folders.length;
  if (all && training.length > 0) return true;
  const inside = await Promise.all((all ? splits : training).map((name) => listFolder(join(root, name))));
  const others = folders.filter((name) => !splitNamed(name));
  const rest = await Promise.all(others.map((name) => holdsPhoto(join(root, name))));
  return inside.length > 0 && !rest.includes(true) &&
    inside.every(({ folders, files }) => folders.length > 0 && imageNames(files).length === 0);
}

/** Whether a file named as a photo lies in a folder or in the folders of it. */
async function holdsPhoto(folder: string, deep = 0): Promise<boolean> {
  const { folders, files } = await listFolder(folder);
  if (imageNames(files).length > 0) return true;
  if (deep === DEEPEST) return false;
  for (const inner of folders) if (await holdsPhoto(join(folder, inner), deep + 1)) return true;
  return false;
}

/** Says in one sentence why the photos in `folder` have no classes, and which layout gives them some. */
async function refuse(dir: string, folder: string, photos: boolean, split?: string): Promise<never> {
  const wanted = split === undefined
    ? `photos in ${join(dir, "<class>", "*.jpg")}`
    : `${nameBelow(dir, join(split, "<class>"))}/*.jpg`;
  const labels = await otherLabels([dir, split ?? dir, folder]);
  const name = split !== undefined && nameBelow(dir, split);
  const why = labels
    ? `its labels are ${labels}, which are not read`
    : name
    ? `its ${name} folder has no class folder`
    : photos
    ? "its photos are in no class folder"
    : "it is empty";
  throw new DataError(
    `Cannot use ${dir}: ${why}, expected ${labels ? "a folder for each class, " : ""}${wanted}`,
  );
}

/** Labels that are no folders: boxes as YOLO has them, or a table. */
async function otherLabels(folders: readonly string[]): Promise<string | undefined> {
  for (const folder of new Set(folders)) {
    const { folders: inside, files } = await listFolder(folder);
    const labels = inside.filter((name) => LABELS.test(name)).map((name) => join(folder, name));
    for (const place of [folder, ...labels]) {
      const text = await firstText(place);
      if (text !== undefined && await isBoxes(text)) {
        return `boxes for detection (such as ${nameBelow(folders[0]!, text)})`;
      }
    }
    const table = files.find((name) => /\.(csv|tsv|json|jsonl|xlsx?|parquet)$/i.test(name));
    if (table) return `in ${nameBelow(folders[0]!, join(folder, table))}`;
    if (labels.length > 0) return `in ${nameBelow(folders[0]!, labels[0]!)}/`;
  }
  return undefined;
}

/** The first text file of a folder, or of the folders in it. */
async function firstText(folder: string, deep = 0): Promise<string | undefined> {
  const { folders, files } = await listFolder(folder);
  const text = files.find((name) => name.endsWith(".txt") && !/^(readme|classes|licen[cs]e)/i.test(name));
  if (text !== undefined || deep > 2 || !LABELS.test(folder.split(/[/\\]/).at(-1 - deep) ?? "")) {
    return text && join(folder, text);
  }
  for (const inner of folders) {
    const found = await firstText(join(folder, inner), deep + 1);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Whether a text's first line is a class and a box or a polygon: five numbers or more. */
async function isBoxes(path: string): Promise<boolean> {
  const { size } = await Deno.stat(path);
  if (size > 2 ** 20) return false;
  const fields = (await Deno.readTextFile(path)).split("\n", 1)[0]!.trim().split(/\s+/);
  return fields.length >= 5 && fields.every((field) => Number.isFinite(Number(field)));
}
