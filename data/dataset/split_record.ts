/**
 * Which photos a model was trained and measured on, in a few bytes each, so that whoever has the file of its weights and a folder of
 * photos can tell what it has seen.
 * @module
 */
import { createHash } from "node:crypto";
import type { ListedPhoto } from "./folder.ts";
import type { SplitName } from "./listing.ts";

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
  /** Other photos that the weights it started from were trained on; absent: none is known. */
  before?: string | undefined;
}

/** Four bytes for a photo: two of a million photos share theirs in a hundred pairs, which is little for a warning with a count. */
function keyOf({ class: name, file, path }: ListedPhoto): number {
  const size = Deno.statSync(path).size;
  const text = [name, file, size].map((part) => String(part).normalize("NFC")).join("\0");
  return createHash("sha256").update(text).digest().readUInt32BE();
}

/**
 * Packs the photos of each split, and those that the weights a run starts from were trained on (`start` is their own record), so that
 * they stay known however often weights are trained on. Throws what Deno throws where a file is gone.
 */
export function recordSplit(
  splits: Readonly<Record<SplitName, readonly ListedPhoto[]>>,
  drawn: { readonly rule: number; readonly seed: number; readonly origin: string },
  start?: SplitRecord,
): SplitRecord {
  const { rule, seed, origin } = drawn;
  const [train, valid, test] = [splits.train, splits.valid, splits.test].map((photos) =>
    photos.map(keyOf)
  ) as [
    number[],
    number[],
    number[],
  ];
  const own = new Set(train);
  const before = start === undefined
    ? []
    : [...new Set([...unpack(start.train), ...unpack(start.before ?? "")])]
      .filter((key) => !own.has(key));
  return {
    ...{ rule, seed, origin, train: pack(train), valid: pack(valid), test: pack(test) },
    ...before.length > 0 && { before: pack(before) },
  };
}

function pack(photos: readonly number[]): string {
  const keys = Uint32Array.from(photos).sort(), bytes = new DataView(new ArrayBuffer(4 * keys.length));
  keys.forEach((key, i) => bytes.setUint32(4 * i, key));
  return new Uint8Array(bytes.buffer).toBase64();
}

function unpack(text: string): number[] {
  const bytes = Uint8Array.fromBase64(text), view = new DataView(bytes.buffer);
  return Array.from({ length: Math.floor(bytes.length / 4) }, (_, i) => view.getUint32(4 * i));
}

/** Tells what photos were to a run. */
export class RecordedSplit {
  readonly #splits = new Map<number, SplitName>();
  readonly #before: ReadonlySet<number>;

  /** Throws a `SyntaxError` where the record is no base64. */
  constructor(record: SplitRecord) {
    for (const split of ["test", "valid", "train"] as const) {
      for (const key of unpack(record[split])) this.#splits.set(key, split);
    }
    this.#before = new Set(unpack(record.before ?? ""));
  }

  /** How many photos the run had. */
  get size(): number {
    return this.#splits.size;
  }

  /** The photos in the run's splits, those that only the weights it started from were trained on, and those that neither had. */
  sort(photos: readonly ListedPhoto[]): Record<SplitName | "before" | "unseen", ListedPhoto[]> {
    const sorted: Record<SplitName | "before" | "unseen", ListedPhoto[]> = {
      train: [],
      valid: [],
      test: [],
      before: [],
      unseen: [],
    };
    for (const photo of photos) {
      const key = keyOf(photo);
      sorted[this.#splits.get(key) ?? (this.#before.has(key) ? "before" : "unseen")].push(photo);
    }
    return sorted;
  }

  /** Those of the photos that the weights were trained on, in the run or before it. */
  trainedOn(photos: readonly ListedPhoto[]): ListedPhoto[] {
    return photos.filter((photo) => {
      const key = keyOf(photo);
      return this.#splits.get(key) === "train" || this.#before.has(key);
    });
  }
}
