/**
 * Where the pixels of a photo store lie: a few large pieces ("shards"), in files or in memory, written once in order and then read by
 * ranges.
 * @module
 */
import { holdCache } from "../cache_folder.ts";
import { concat } from "@std/bytes/concat";
import { join } from "@std/path";

/** A shard is closed before it would exceed this, so that each fits into one storage binding of any device; in bytes. */
export const SHARD_BYTES: number = 64 * 2 ** 20;

/** Where a photo's pixels begin. */
export interface Place {
  /** Its number, from 0. */
  readonly shard: number;
  /** In bytes. */
  readonly offset: number;
}

/** Finished shards. */
export interface Shards extends Disposable {
  /** Bytes in each. */
  readonly sizes: readonly number[];
  /** Fills `target` from a place on; the range must lie within the shard. */
  read(place: Place, target: Uint8Array): void;
}

/** Takes photos one after another; both kinds of `Shards` are written through one. */
export interface ShardWriter {
  /** Stores the bytes and says where. */
  append(bytes: Uint8Array): Promise<Place>;
  /** Writes what is left; resolves with the bytes in each shard. */
  finish(): Promise<number[]>;
}

/** The file name of a shard. */
export function shardName(shard: number): string {
  return `shard-${String(shard).padStart(3, "0")}.rgba`;
}

/** Shards as files of a folder. */
export class FileShardWriter implements ShardWriter {
  readonly #sizes: number[] = [];
  #file: Deno.FsFile | null = null;

  /** Writes to `folder`, which exists, shards of at most `limit` bytes. */
  constructor(readonly folder: string, readonly limit: number = SHARD_BYTES) {}

  /** Opens the next file where the photo does not fit into the open one. */
  async append(bytes: Uint8Array): Promise<Place> {
    if (this.#file === null || this.#sizes.at(-1)! + bytes.length > this.limit) {
      await this.#close();
      this.#file = await Deno.open(join(this.folder, shardName(this.#sizes.length)), {
        write: true,
        createNew: true,
      });
      this.#sizes.push(0);
    }
    for (let at = 0; at < bytes.length;) at += await this.#file.write(bytes.subarray(at));
    const shard = this.#sizes.length - 1, offset = this.#sizes[shard]!;
    this.#sizes[shard] = offset + bytes.length;
    return { shard, offset };
  }

  /** Closes the last file. */
  async finish(): Promise<number[]> {
    await this.#close();
    return this.#sizes;
  }

  /** Closes the open file, whatever it holds. */
  abort(): void {
    this.#file?.close();
    this.#file = null;
  }

  async #close(): Promise<void> {
    await this.#file?.sync();
    this.abort();
  }
}

/** Most files that are open at a time; a system allows a program about a thousand. */
const OPEN_FILES = 64;

/**
 * The shards in a folder. The first files are opened at once, so that this goes on reading what it found when another program replaces
 * the folder; beyond `OPEN_FILES` files are opened in turn, and one that was replaced is an error.
 */
export class FileShards implements Shards {
  /** Open files by shard, the one used last at the end. */
  readonly #files = new Map<number, Deno.FsFile>();
  readonly #written: (number | undefined)[];
  #held: Disposable | undefined;

  /** Throws what Deno throws where a file is missing. */
  constructor(readonly folder: string, readonly sizes: readonly number[]) {
    this.#written = sizes.map((_, shard) => Deno.statSync(this.#path(shard)).mtime?.getTime());
    this.#held = holdCache(folder);
    try {
      for (let shard = 0; shard < Math.min(sizes.length, OPEN_FILES); shard++) this.#open(shard);
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  /** Throws an `Error` where a file has become shorter or was replaced. */
  read({ shard, offset }: Place, target: Uint8Array): void {
    const file = this.#open(shard);
    file.seekSync(offset, Deno.SeekMode.Start);
    for (let at = 0; at < target.length;) {
      const count = file.readSync(target.subarray(at));
      if (count === null) throw new Error(`Cannot read photos: ${shardName(shard)} has become shorter`);
      at += count;
    }
  }

  /** Closes the files. */
  [Symbol.dispose](): void {
    for (const file of this.#files.values()) file.close();
    this.#files.clear();
    this.#held?.[Symbol.dispose]();
    this.#held = undefined;
  }

  #open(shard: number): Deno.FsFile {
    let file = this.#files.get(shard);
    if (file !== undefined) this.#files.delete(shard);
    else {
      file = Deno.openSync(this.#path(shard));
      if (file.statSync().mtime?.getTime() !== this.#written[shard]) {
        file.close();
        throw new Error(`Cannot read photos: ${this.#path(shard)} was replaced meanwhile`);
      }
    }
    this.#files.set(shard, file); // now the last
    if (this.#files.size > OPEN_FILES) {
      const [oldest, unused] = this.#files.entries().next().value!;
      unused.close();
      this.#files.delete(oldest);
    }
    return file;
  }

  #path(shard: number): string {
    return join(this.folder, shardName(shard));
  }
}

/** Shards in memory: both the writer and what is read afterwards. */
export class MemoryShards implements ShardWriter, Shards {
  readonly #shards: Uint8Array[] = [];
  #pieces: Uint8Array[] = [];
  #filled = 0;

  /** Shards of at most `limit` bytes. */
  constructor(readonly limit: number = SHARD_BYTES) {}

  /** Bytes in each finished shard. */
  get sizes(): readonly number[] {
    return this.#shards.map((shard) => shard.length);
  }

  /** Keeps the bytes, not copied. */
  append(bytes: Uint8Array): Promise<Place> {
    if (this.#filled > 0 && this.#filled + bytes.length > this.limit) this.#join();
    const place = { shard: this.#shards.length, offset: this.#filled };
    this.#pieces.push(bytes);
    this.#filled += bytes.length;
    return Promise.resolve(place);
  }

  /** Finishes the last shard. */
  finish(): Promise<number[]> {
    if (this.#filled > 0) this.#join();
    return Promise.resolve([...this.sizes]);
  }

  /** Throws a `RangeError` where there is no such shard. */
  read({ shard, offset }: Place, target: Uint8Array): void {
    const bytes = this.#shards[shard];
    if (bytes === undefined) throw new RangeError(`Cannot read photos: there is no shard ${shard}`);
    target.set(bytes.subarray(offset, offset + target.length));
  }

  /** Releases the memory. */
  [Symbol.dispose](): void {
    this.#shards.length = this.#pieces.length = this.#filled = 0;
  }

  #join(): void {
    this.#shards.push(concat(this.#pieces));
    this.#pieces = [];
    this.#filled = 0;
  }
}
