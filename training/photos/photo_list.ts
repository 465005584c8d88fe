/**
 * The photos of a run: which were used for what, in `photos.json`, so that a run that goes on does so with the same ones.
 * @module
 */
import { z } from "zod";
import { contentKey } from "../../data/dataset/content.ts";
import { DataError, type Dataset, type ListedPhoto } from "../../data/dataset/folder.ts";
import { SPLIT_RULE } from "../../data/dataset/sampler.ts";
import type { SkippedPhoto } from "../../data/dataset/photo_store.ts";
import type { SplitName } from "../../data/dataset/listing.ts";
import { nameBelow } from "../../data/dataset/walk.ts";

/**
 * A photo: its split (`out`: it could not be decoded), class, path in the data set's folder, size in bytes, and a hash of what it holds
 * (see `contentKey`; lists of earlier versions have none).
 */
type Row = [
  split: SplitName | "out",
  class_: string,
  file: string,
  bytes: number,
  content?: string | undefined,
];

/** What `photos.json` holds. */
export interface PhotoList {
  /** The version of the rule that drew the split. */
  readonly rule: number;
  /** How the split came about, as a phrase for people. */
  readonly origin: string;
  /** In the order of the data set. */
  readonly photos: readonly Row[];
}

const schema: z.ZodType<PhotoList> = z.object({
  rule: z.int().positive(),
  origin: z.string(),
  photos: z.array(z.tuple([
    z.enum(["train", "valid", "test", "out"]),
    z.string(),
    z.string(),
    z.int().nonnegative(),
    z.string().optional(),
  ])),
});

/** The data set without the photos that could not be decoded, which are left out with the reason. */
export function decodedOf(
  dataset: Dataset,
  { skipped }: { skipped: readonly Pick<SkippedPhoto, "path">[] },
): Dataset {
  const bad = new Set(skipped.map(({ path }) => path));
  const of = (split: SplitName) => dataset.splits[split].filter(({ path }) => !bad.has(path));
  const undecoded = Object.values(dataset.splits).flat().filter(({ path }) => bad.has(path));
  return {
    ...dataset,
    splits: { train: of("train"), valid: of("valid"), test: of("test") },
    undecoded: [...dataset.undecoded, ...undecoded],
    leftOut: [...dataset.leftOut, ...skipped.map(({ path }) => ({ path, reason: "that cannot be decoded" }))],
  };
}

/** The list of a run on `dataset`, of which `used` is what could be decoded. */
export function listPhotos(dataset: Dataset, used: Dataset, rule: number = SPLIT_RULE): PhotoList {
  const paths = new Set(Object.values(used.splits).flat().map(({ path }) => path));
  const photos = Object.entries(dataset.splits).flatMap(([split, samples]) =>
    samples.map((photo): Row => {
      const where = paths.has(photo.path) ? split as SplitName : "out";
      return [where, photo.class, nameIn(dataset, photo), sizeOf(photo), contentOf(photo)];
    })
  );
  return { rule, origin: dataset.origin, photos };
}

/** The same on every system and wherever the data set lies. */
function nameIn({ dir }: Dataset, { path }: ListedPhoto): string {
  return nameBelow(dir, path).replaceAll("\\", "/");
}

function sizeOf({ path }: ListedPhoto): number {
  try {
    return Deno.statSync(path).size;
  } catch {
    return 0; // it cannot be decoded either
  }
}

/** Empty where it cannot be read, which is found out when it is decoded. */
function contentOf({ path }: ListedPhoto): string {
  try {
    return contentKey(path).slice(0, 16);
  } catch {
    return "";
  }
}

/** Whether a photo is the one that was listed. */
function unchanged(photo: ListedPhoto, bytes: number, content: string | undefined): boolean {
  return sizeOf(photo) === bytes && (content === undefined || contentOf(photo) === content);
}

/** One photo a line. */
export function encodePhotoList({ photos, ...rest }: PhotoList): string {
  const lines = photos.map((row) => JSON.stringify(row)).join(",\n");
  return `${JSON.stringify(rest).slice(0, -1)},"photos":[\n${lines}\n]}\n`;
}

/** Reads what `encodePhotoList` wrote; undefined for anything else. */
export function decodePhotoList(text: string): PhotoList | undefined {
  return schema.safeParse(readJson(text)).data;
}

/** The classes that the list names, sorted. */
export function classesOf({ photos }: PhotoList): string[] {
  return [...new Set(photos.filter(([split]) => split !== "out").map(([, name]) => name))].sort();
}

/**
 * The photos of the list out of what the folder holds now. A run keeps its photos: those that came are named and wait for another run;
 * where one is gone or has another size it cannot go on, and that is a `DataError`.
 */
export function keepListed(now: Dataset, list: PhotoList, onNote: (text: string) => void): Dataset {
  const found = new Map(
    Object.values(now.splits).flat().map((photo) => [nameIn(now, photo), photo]),
  );
  const splits: Record<SplitName | "out", ListedPhoto[]> = { train: [], valid: [], test: [], out: [] };
  const gone: string[] = [], changed: string[] = [];
  for (const [split, _, key, bytes, content] of list.photos) {
    const photo = found.get(key);
    found.delete(key);
    if (photo !== undefined && (split === "out" || unchanged(photo, bytes, content))) {
      splits[split].push(photo);
    } else if (split !== "out") (photo ? changed : gone).push(key);
  }
  const added = [...found.keys()];
  const text = (keys: readonly string[], what: string) =>
    keys.length > 0 ? [`${keys.length} ${what} (${some(keys)})`] : [];
  if (gone.length + changed.length > 0) {
    throw new DataError(
      `Cannot go on with ${now.dir}: of the run's photos, ${
        [...text(gone, "gone"), ...text(changed, "changed")].join(", ")
      }; ` +
        "a run goes on with the photos it began with, so put them back, or start another with --weights",
    );
  }
  if (added.length > 0) {
    onNote(
      `Photos    ${text(added, "new")}: the run goes on without; another, with --weights, would use them`,
    );
  }
  const { out, ...kept } = splits;
  const leftOut = [
    ...now.leftOut,
    ...out.map(({ path }) => ({ path, reason: "that cannot be decoded" })),
  ];
  return { ...now, splits: kept, leftOut, undecoded: out, origin: list.origin };
}

function some(names: readonly string[]): string {
  return names.slice(0, 3).join(", ") + (names.length > 3 ? ", …" : "");
}

/** What a text of JSON says; undefined where it is none. */
export function readJson(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? "null");
  } catch {
    return undefined;
  }
}
