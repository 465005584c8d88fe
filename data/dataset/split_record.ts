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
}

/** Four bytes for a photo: two of a million photos share theirs in a hundred pairs, which is little for a warning with a count. */
function keyOf({ class: name, file, path }: ListedPhoto): number {
  const size = Deno.statSync(path).size;
  const text = [name, file, size].map((part) => String(part).normalize("NFC")).join("\0");
  return createHash("sha256").update(text).digest().readUInt32BE();
}

/** Packs the photos of each split. Throws what Deno throws where a file is gone. */
export function recordSplit(
  splits: Readonly<Record<SplitName, readonly ListedPhoto[]>>,
  drawn: { readonly rule: number; readonly seed: number; readonly origin: string },
): SplitRecord {
  const pack = (photos: readonly ListedPhoto[]) => {
    const keys = Uint32Array.from(photos, keyOf).sort(),
      bytes = new DataView(new ArrayBuffer(4 * keys.length));
    keys.forEach((key, i) => bytes.setUint32(4 * i, key));
    return new Uint8Array(bytes.buffer).toBase64();
  };
  const { rule, seed, origin } = drawn;
  const { train, valid, test } = splits;
  return { rule, seed, origin, train: pack(train), valid: pack(valid), test: pack(test) };
}

/** Tells what photos were to a run. */
export class RecordedSplit {
  readonly #splits = new Map<number, SplitName>();

  /** Throws a `SyntaxError` where the record is no base64. */
  constructor(record: SplitRecord) {
    for (const split of ["test", "valid", "train"] as const) {
      const bytes = Uint8Array.fromBase64(record[split]), view = new DataView(bytes.buffer);
      for (let at = 0; at + 4 <= bytes.length; at += 4) this.#splits.set(view.getUint32(at), split);
    }
  }

  /** How many photos the run had. */
  get size(): number {
    return this.#splits.size;
  }

  /** The photos in the run's splits, and those that it did not have. */
  sort(photos: readonly ListedPhoto[]): Record<SplitName | "unseen", ListedPhoto[]> {
    const sorted: Record<SplitName | "unseen", ListedPhoto[]> = {
      train: [],
      valid: [],
      test: [],
      unseen: [],
    };
    for (const photo of photos) sorted[this.#splits.get(keyOf(photo)) ?? "unseen"].push(photo);
    return sorted;
  }
}
