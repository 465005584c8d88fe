/**
 * Decoded photos, read by index.
 * @module
 */
import type { PhotoTraits } from "../inspection/traits.ts";
import type { Sample } from "./folder.ts";
import type { Place, Shards } from "./shards.ts";

/** A decoded photo: its size in pixels, what it shows, and where its `width * height * 4` RGBA bytes lie. */
export interface PhotoEntry extends Place {
  /** The file. */
  readonly path: string;
  /** Index of its class. */
  readonly label: number;
  /** Columns. */
  readonly width: number;
  /** Rows. */
  readonly height: number;
  /** What its pixels say of it. */
  readonly traits?: PhotoTraits;
}

/** A file that could not be decoded. */
export interface SkippedPhoto {
  /** The file. */
  readonly path: string;
  /** Why, in one sentence. */
  readonly reason: string;
}

/** Photos of a data set, decoded and shrunk once. Close it to release its files; views of it share them. */
export class PhotoStore implements Disposable {
  readonly #shards: Shards;

  /** Takes over the shards. */
  constructor(
    shards: Shards,
    /** In the order of the samples, without those skipped. */
    readonly entries: readonly PhotoEntry[],
    /** Files that could not be decoded, in the order of the samples. */
    readonly skipped: readonly SkippedPhoto[],
    /** Where the pixels come from: decoded now and kept in memory, decoded now and cached, or found in the cache. */
    readonly origin: "memory" | "built" | "cached",
  ) {
    this.#shards = shards;
  }

  /** Bytes in each shard. */
  get shards(): readonly number[] {
    return this.#shards.sizes;
  }

  /** Bytes in all shards. */
  get bytes(): number {
    return this.shards.reduce((sum, size) => sum + size, 0);
  }

  /** Copies a photo's bytes to the start of `target`; throws a `RangeError` where there is no such photo or they do not fit. */
  readInto(index: number, target: Uint8Array): void {
    const entry = this.entries[index];
    if (entry === undefined) {
      throw new RangeError(`Cannot read photo ${index}: the store has ${this.entries.length}`);
    }
    const length = entry.width * entry.height * 4;
    if (length > target.length) {
      throw new RangeError(`Cannot read photo ${index}: it has ${length} bytes, room for ${target.length}`);
    }
    this.#shards.read(entry, target.subarray(0, length));
  }

  /** `readInto` for one photo: a function that copies its bytes to the start of an array. */
  pixels(index: number): (target: Uint8Array) => void {
    return (target) => this.readInto(index, target);
  }

  /** All bytes of a shard: its photos in their order, without gaps. */
  readShard(shard: number): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(this.shards[shard] ?? 0);
    this.#shards.read({ shard, offset: 0 }, bytes);
    return bytes;
  }

  /** The same photos for some of the samples, in their order and with their labels. */
  select(samples: readonly Sample[]): PhotoStore {
    const byPath = new Map(this.entries.map((entry) => [entry.path, entry]));
    const reasons = new Map(this.skipped.map(({ path, reason }) => [path, reason]));
    const entries: PhotoEntry[] = [], skipped: SkippedPhoto[] = [];
    for (const { path, label } of samples) {
      const entry = byPath.get(path), reason = reasons.get(path);
      if (entry !== undefined) entries.push({ ...entry, label });
      else if (reason !== undefined) skipped.push({ path, reason });
      else throw new RangeError(`Cannot select photos: ${path} is not in the store`);
    }
    return new PhotoStore(this.#shards, entries, skipped, this.origin);
  }

  /** Releases the files or the memory; of a view, too, and of the store it comes from. */
  close(): void {
    this.#shards[Symbol.dispose]();
  }

  /** As `close`. */
  [Symbol.dispose](): void {
    this.close();
  }
}
