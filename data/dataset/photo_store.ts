/**
 * Decoded photos, read by index.
 * @module
 */
import type { Sample } from "./folder.ts";
import type { Place, Shards } from "./shards.ts";

/** A decoded photo: its size in pixels, what it shows, and where its `width * height * 4` RGBA bytes lie. */
export interface PhotoEntry extends Place {
  readonly path: string;
  readonly label: number;
  readonly width: number;
  readonly height: number;
}

/** A file that could not be decoded. */
export interface SkippedPhoto {
  readonly path: string;
  readonly reason: string;
}

/** A photo's pixels: RGBA, row-major, every alpha 255. */
export interface Photo {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array<ArrayBuffer>;
}

/** Photos of a data set, decoded and shrunk once. Close it to release its files; views of it share them. */
export class PhotoStore implements Disposable {
  readonly #shards: Shards;

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

  /** A photo, in an array of its own. */
  read(index: number): Photo {
    const { width, height } = this.#entry(index);
    const data = new Uint8Array(width * height * 4);
    this.readInto(index, data);
    return { width, height, data };
  }

  /** Copies a photo's bytes into `target` from `at` on and returns their number; throws a `RangeError` where they do not fit. */
  readInto(index: number, target: Uint8Array, at = 0): number {
    const entry = this.#entry(index);
    const length = entry.width * entry.height * 4;
    if (at + length > target.length) {
      throw new RangeError(
        `Cannot read photo ${index}: it has ${length} bytes, room for ${target.length - at}`,
      );
    }
    this.#shards.read(entry, target.subarray(at, at + length));
    return length;
  }

  /** A function that copies the photo's bytes to the start of an array. */
  pixels(index: number): (target: Uint8Array) => void {
    return (target) => void this.readInto(index, target);
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

  #entry(index: number): PhotoEntry {
    const entry = this.entries[index];
    if (entry === undefined) {
      throw new RangeError(`Cannot read photo ${index}: the store has ${this.entries.length}`);
    }
    return entry;
  }
}
