/**
 * Which photos a model was trained and measured on, in a few bytes each, so that whoever has the file of its weights and a folder of
 * photos can tell what it has seen.
 * @module
 */
import { createHash } from "node:crypto";
import { contentKey } from "./content.ts";
import type { ListedPhoto } from "./folder.ts";
import type { SplitName } from "./listing.ts";

/** The photos of each split, as four bytes of a hash for each, sorted, in base64. */
export type SplitKeys = Readonly<Record<SplitName, string>>;

/** The photos of a run as its checkpoints carry them: no name can be read out of it. */
export interface SplitRecord {
  /** The version of the rule that drew the split. */
  rule: number;
  /** The seed that it was drawn with. */
  seed: number;
  /** How it came about, as a phrase for people. */
  origin: string;
  /** The training photos: four bytes of a hash of each one's class, name and size, sorted, in base64. */
  train: string;
  /** The validation photos. */
  valid: string;
  /** The test photos. */
  test: string;
  /** Those that could not be decoded; absent of runs before that was recorded. */
  out?: string | undefined;
  /** The same photos by their content, which a new name leaves as it is; absent of runs before that was recorded. */
  contents?: SplitKeys | undefined;
  /** Other photos that the weights it started from were trained on, as `train`; absent: none is known. */
  before?: string | undefined;
}

/** Four bytes for a photo: two of a million photos share theirs in a hundred pairs, which is little for a warning with a count. */
function keyOf({ class: name, file, path }: ListedPhoto): number {
  const size = Deno.statSync(path).size;
  const text = [name, file, size].map((part) => String(part).normalize("NFC")).join("\0");
  return createHash("sha256").update(text).digest().readUInt32BE();
}

/** Four bytes for what a photo holds; undefined where it cannot be read. */
function contentOf({ path }: ListedPhoto): number | undefined {
  try {
    return parseInt(contentKey(path).slice(0, 8), 16);
  } catch {
    return undefined; // found out when it is decoded
  }
}

/**
 * Packs the photos of each split, those that were `out`, and those that the weights a run starts from were trained on (`start` is their
 * own record), so that they stay known however often weights are trained on. Throws what Deno throws where a file is gone.
 */
export function recordSplit(
  splits: Readonly<Record<SplitName, readonly ListedPhoto[]>>,
  drawn: { readonly rule: number; readonly seed: number; readonly origin: string },
  out: readonly ListedPhoto[] = [],
  start?: SplitRecord,
): SplitRecord {
  const names = (photos: readonly ListedPhoto[]) => pack(photos.map(keyOf));
  const contents = (photos: readonly ListedPhoto[]) =>
    pack(photos.map(contentOf).filter((key) => key !== undefined));
  const { rule, seed, origin } = drawn;
  const { train, valid, test } = splits;
  const trainKeys = train.map(keyOf), own = new Set(trainKeys);
  const before = start === undefined
    ? []
    : [...new Set([...unpack(start.train), ...unpack(start.before ?? "")])].filter((key) => !own.has(key));
  return {
    ...{
      rule,
      seed,
      origin,
      train: pack(trainKeys),
      valid: names(valid),
      test: names(test),
      out: names(out),
    },
    contents: { train: contents(train), valid: contents(valid), test: contents(test) },
    ...before.length > 0 && { before: pack(before) },
  };
}

function pack(values: readonly number[]): string {
  const keys = Uint32Array.from(values).sort(), bytes = new DataView(new ArrayBuffer(4 * keys.length));
  keys.forEach((key, i) => bytes.setUint32(4 * i, key));
  return new Uint8Array(bytes.buffer).toBase64();
}

function unpack(text: string): number[] {
  const bytes = Uint8Array.fromBase64(text), view = new DataView(bytes.buffer);
  return Array.from({ length: bytes.length >> 2 }, (_, i) => view.getUint32(4 * i));
}

/** What photos were to a run. */
export interface SeenPhotos extends Record<SplitName, ListedPhoto[]> {
  /** Photos that the run did not have. */
  readonly unseen: ListedPhoto[];
  /** Other photos that the weights it started from were trained on. */
  readonly before: ListedPhoto[];
  /** Photos that the run found and could not decode. */
  readonly out: ListedPhoto[];
  /** Further files with the bytes of photos that are in the run's splits: neither of the run nor new. */
  readonly copies: ListedPhoto[];
  /** All that the model was trained on, in the run or before it, copies included. */
  readonly trained: ReadonlySet<ListedPhoto>;
}

/** Tells what photos were to a run. */
export class RecordedSplit {
  readonly #names = new Map<number, SplitName | "out">();
  readonly #contents = new Map<number, SplitName[]>();
  readonly #before: ReadonlySet<number>;
  /** How many photos the run had. */
  readonly size: number;

  /** Throws a `SyntaxError` where the record is no base64. */
  constructor(record: SplitRecord) {
    let size = 0;
    const twice = new Set<number>();
    for (const split of ["out", "test", "valid", "train"] as const) {
      const keys = unpack(record[split] ?? "");
      if (split !== "out") size += keys.length;
      for (const key of keys) {
        const before = this.#names.get(key);
        if (before !== undefined && before !== split) twice.add(key);
        this.#names.set(key, split);
      }
    }
    this.size = size;
    this.#before = new Set(unpack(record.before ?? ""));
    // Folders of splits may number their photos alike: what two splits have under one name is told by its content.
    if (record.contents) { for (const key of twice) this.#names.delete(key); }
    for (const split of ["train", "valid", "test"] as const) {
      for (const key of unpack(record.contents?.[split] ?? "")) {
        this.#contents.set(key, [...this.#contents.get(key) ?? [], split]);
      }
    }
  }

  /**
   * The photos in the run's splits and those that it did not have. One is the run's own by its class, name and size; of the others those
   * that hold what one of the run's did are it under another name, or a copy where that one is there too.
   */
  sort(photos: readonly ListedPhoto[]): SeenPhotos {
    const trained = new Set<ListedPhoto>();
    const sorted: SeenPhotos = {
      ...{ train: [], valid: [], test: [], out: [], before: [], unseen: [], copies: [] },
      trained,
    };
    const others: ListedPhoto[] = [];
    for (const photo of photos) {
      const key = keyOf(photo), split = this.#names.get(key);
      if (this.#before.has(key)) trained.add(photo);
      if (split) sorted[split].push(photo);
      else others.push(photo);
    }
    this.#sortByContent(others, sorted);
    for (const photo of sorted.train) trained.add(photo);
    return sorted;
  }

  #sortByContent(others: readonly ListedPhoto[], sorted: SeenPhotos): void {
    const held = others.map((photo) => {
      const key = this.#contents.size > 0 ? contentOf(photo) : undefined;
      return { photo, key, places: key === undefined ? undefined : this.#contents.get(key) };
    });
    const taken = this.#placesTaken(held.flatMap(({ photo, places }) => places ? [photo] : []), sorted);
    for (const { photo, key, places } of held) {
      if (!places) {
        sorted[sorted.trained.has(photo) ? "before" : "unseen"].push(photo);
        continue;
      }
      const free = [...places];
      for (const split of taken.get(key!) ?? []) {
        const at = free.indexOf(split);
        if (at >= 0) free.splice(at, 1);
      }
      const [split] = free;
      if (split === undefined) {
        sorted.copies.push(photo);
        if (places.includes("train")) (sorted.trained as Set<ListedPhoto>).add(photo);
      } else {
        sorted[split].push(photo);
        taken.set(key!, [...taken.get(key!) ?? [], split]);
      }
    }
  }

  /** By content, the splits in which a photo is found already; only files as long as one of `renamed` are read. */
  #placesTaken(renamed: readonly ListedPhoto[], sorted: SeenPhotos): Map<number, SplitName[]> {
    const taken = new Map<number, SplitName[]>();
    const sizes = new Set(renamed.map(({ path }) => Deno.statSync(path).size));
    if (sizes.size === 0) return taken;
    for (const split of ["train", "valid", "test"] as const) {
      for (const photo of sorted[split]) {
        const key = sizes.has(Deno.statSync(photo.path).size) ? contentOf(photo) : undefined;
        if (key !== undefined) taken.set(key, [...taken.get(key) ?? [], split]);
      }
    }
    return taken;
  }
}
