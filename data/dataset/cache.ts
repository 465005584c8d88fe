/**
 * Decodes the photos of a data set once: into a cache on disk that later runs find again, or into memory.
 *
 * A cache is a folder of shards and an index. It is built under another name and renamed when it is whole, so what has the right name is
 * whole, unless something else changed it, which the index shows. It is built anew when a photo's name, size or time has changed.
 * @module
 */
import { basename, dirname, join, resolve } from "@std/path";
import { cachePlace } from "../cache_folder.ts";
import { ABANDONED_MS, draftState, makeDraft } from "../drafts.ts";
import { type CacheIndex, covers, type FileStamp, newIndex, readIndex, writeIndex } from "./cache_index.ts";
import { DecoderPool, type DecoderPoolOptions } from "../image/decoder_pool.ts";
import type { Sample } from "./folder.ts";
import { DataError } from "./listing.ts";
import { type DecodedImage, ImageError } from "../image/image.ts";
import { type PhotoTraits, traitsOf } from "../inspection/traits.ts";
import { type PhotoEntry, PhotoStore, type SkippedPhoto } from "./photo_store.ts";
import { FileShards, FileShardWriter, MemoryShards, type Place, type ShardWriter } from "./shards.ts";

/** Where caches are kept unless another folder is named, relative to the working directory. */
export const CACHE_FOLDER: string = cachePlace("photos");

/** The shorter side that photos are shrunk to by default, in pixels: enough for an input of 224. */
export const CACHE_SIDE = 256;

/** The cache could not be written: no room, no right. The photos can still be held in memory (`cacheDir: null`). */
export class CacheError extends DataError {
  /** The class's name. */
  override readonly name = "CacheError";
}

/** How a store is opened. */
export interface PhotoStoreOptions {
  /** The folder for caches; null keeps the photos in memory. */
  readonly cacheDir?: string | null;
  /** The shorter side that photos are shrunk to, in pixels; default `CACHE_SIDE`. */
  readonly side?: number;
  /** Decoder processes; default: one per core. */
  readonly workers?: number | undefined;
  /** How decoders that are fetched when they are needed are fetched; default: by Deno, see `fetchCodec`. */
  readonly fetchCodec?: DecoderPoolOptions["fetchCodec"];
  /** Called after each photo, when photos have to be decoded. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
  /** Ends decoding. */
  readonly signal?: AbortSignal | undefined;
}

/** What became of the files; `waiting` are those that could not be decoded yet, which the index does not know, so that they are tried again. */
type Decoded = Pick<CacheIndex, "photos" | "skipped"> & { waiting: CacheIndex["skipped"] };

/**
 * Opens the photos of these samples (all splits together, to share one cache; see `PhotoStore.select`), decoding what is not cached.
 * Files that cannot be decoded are left out and listed in `skipped`. Throws a `DataError` when none can be decoded, a `CacheError` when
 * the cache cannot be written, and the signal's reason when it is aborted; none of them leaves anything behind.
 */
export async function openPhotoStore(
  samples: readonly Sample[],
  { cacheDir = CACHE_FOLDER, side = CACHE_SIDE, ...decoding }: PhotoStoreOptions = {},
): Promise<PhotoStore> {
  const stamps = samples.map(({ path }) => stampOf(path));
  const decode = (writer: ShardWriter) => decodeAll(stamps, side, writer, decoding);
  if (cacheDir === null) {
    const shards = new MemoryShards();
    const { photos, skipped, waiting } = await decode(shards);
    await shards.finish();
    return storeOf(samples, shards, photos, [...skipped, ...waiting], "memory");
  }
  const folder = join(cacheDir, await cacheName(stamps, side));
  const index = await readIndex(folder);
  const cached = index !== null && covers(index, side, stamps);
  const { photos, skipped, shards, waiting = [] } = cached
    ? { ...index, waiting: [] }
    : await build(folder, side, stamps, decode);
  const origin = cached ? "cached" : "built";
  return storeOf(samples, new FileShards(folder, shards), photos, [...skipped, ...waiting], origin);
}

/** Name, size and time of a file; a missing one has size 0 and is found out when it is read. */
function stampOf(path: string): FileStamp {
  try {
    const { size, mtime } = Deno.statSync(path);
    return { path: resolve(path), size, modified: mtime?.getTime() ?? 0 };
  } catch {
    return { path: resolve(path), size: 0, modified: 0 };
  }
}

/** One cache for each data set's folder and size of photos, whatever is chosen of the data set. */
async function cacheName(stamps: readonly FileStamp[], side: number): Promise<string> {
  let root = dirname(stamps[0]?.path ?? "/");
  const holdsAll = () => stamps.every(({ path }) => path.startsWith(join(root, "/")));
  while (!holdsAll() && dirname(root) !== root) root = dirname(root);
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(root));
  return `${basename(root)}-${side}-${new Uint8Array(hash).toHex().slice(0, 8)}`;
}

async function build(
  folder: string,
  side: number,
  stamps: readonly FileStamp[],
  decode: (writer: ShardWriter) => Promise<Decoded>,
): Promise<CacheIndex & Partial<Decoded>> {
  const parent = dirname(folder), prefix = `.${basename(folder)}-`;
  const write = <T>(writing: Promise<T>): Promise<T> =>
    writing.catch((cause) => {
      throw new CacheError(`Cannot write the photo cache in ${parent}: ${cause.message}`, { cause });
    });
  await write(Deno.mkdir(parent, { recursive: true }));
  await removeAbandoned(parent, prefix);
  await using draft = await write(makeDraft(parent, prefix));
  const scratch = draft.path, drafts = join(scratch, "new");
  const writer = new FileShardWriter(drafts);
  try {
    await write(Deno.mkdir(drafts));
    const { waiting, ...decoded } = await decode({
      append: (bytes) => write(writer.append(bytes)),
      finish: () => write(writer.finish()),
    });
    const index = newIndex({ side, shards: await write(writer.finish()), ...decoded });
    await write(writeIndex(drafts, index));
    await Deno.rename(folder, join(scratch, "old")).catch(() => {}); // there may be none
    try {
      await write(Deno.rename(drafts, folder));
      return { ...index, waiting };
    } catch (error) {
      const other = await readIndex(folder); // another program may have been quicker
      if (other !== null && covers(other, side, stamps)) return other;
      throw error;
    }
  } finally {
    writer.abort();
  }
}

/** Removes drafts without a lock that nothing was added to for long; `makeDraft` removes the others. */
async function removeAbandoned(parent: string, prefix: string): Promise<void> {
  for await (const { name } of Deno.readDir(parent)) {
    if (!name.startsWith(prefix)) continue;
    const path = join(parent, name);
    if (await draftState(path) !== "unknown") continue;
    const times = await Promise.all([path, join(path, "new")].map((dir) => Deno.stat(dir).catch(() => null)));
    const touched = Math.max(...times.map((stat) => stat?.mtime?.getTime() ?? 0));
    if (Date.now() - touched > ABANDONED_MS) await Deno.remove(path, { recursive: true }).catch(() => {});
  }
}

/** Decodes in parallel and stores in order; only a few photos are held at a time. */
async function decodeAll(
  stamps: readonly FileStamp[],
  side: number,
  writer: ShardWriter,
  { workers = navigator.hardwareConcurrency, fetchCodec, onProgress, signal }: PhotoStoreOptions,
): Promise<Decoded> {
  // Patient: a photo that is skipped because the machine was busy would stay so.
  await using pool = new DecoderPool({ workers, timeoutMs: 120_000, ...fetchCodec && { fetchCodec } });
  const decode = async ({ path }: FileStamp) => {
    try {
      return await pool.decode(await readPhoto(path), { shorterSide: side, signal });
    } catch (error) {
      // Without decoders no photo can be judged; one that ended two of them is skipped as corrupt ones are.
      if (error instanceof ImageError && error.code !== "unavailable") return error;
      throw error;
    }
  };
  const decoded: Decoded = { photos: [], skipped: [], waiting: [] };
  const started: ReturnType<typeof decode>[] = [];
  for (const [i, stamp] of stamps.entries()) {
    while (started.length < Math.min(stamps.length, i + 4 * workers)) {
      const job = decode(stamps[started.length]!);
      job.catch(() => {}); // met when its turn comes, or not at all when an earlier one ends everything
      started.push(job);
    }
    signal?.throwIfAborted();
    const image = await started[i]!;
    delete started[i];
    if (image instanceof ImageError) {
      decoded[image.code === "no-decoder" ? "waiting" : "skipped"].push({ ...stamp, reason: image.message });
    } else decoded.photos.push({ ...stamp, ...await placed(image, writer) });
    onProgress?.(i + 1, stamps.length);
  }
  if (stamps.length > 0 && decoded.photos.length === 0) {
    const [first] = [...decoded.skipped, ...decoded.waiting];
    throw new DataError(
      `Cannot use the photos: none of ${stamps.length} can be decoded (${first!.path}: ${first!.reason})`,
    );
  }
  return decoded;
}

async function readPhoto(path: string): Promise<Uint8Array> {
  try {
    return await Deno.readFile(path);
  } catch (error) {
    throw new ImageError("corrupt", `Cannot read the file: ${(error as Error).message}`);
  }
}

async function placed(
  image: DecodedImage,
  writer: ShardWriter,
): Promise<Place & { width: number; height: number; traits: PhotoTraits }> {
  const { width, height } = image;
  return { width, height, traits: traitsOf(image), ...await writer.append(image.data) };
}

/** Brings the index into the order of the samples. */
function storeOf(
  samples: readonly Sample[],
  shards: FileShards | MemoryShards,
  photos: CacheIndex["photos"],
  skipped: CacheIndex["skipped"],
  origin: PhotoStore["origin"],
): PhotoStore {
  const byPath = new Map(photos.map((photo) => [photo.path, photo]));
  const reasons = new Map(skipped.map(({ path, reason }) => [path, reason]));
  const entries: PhotoEntry[] = [], without: SkippedPhoto[] = [];
  for (const { path, label } of samples) {
    const photo = byPath.get(resolve(path));
    if (photo === undefined) without.push({ path, reason: reasons.get(resolve(path)) ?? "unknown" });
    else {
      const { width, height, traits, shard, offset } = photo;
      entries.push({ path, label, width, height, traits, shard, offset });
    }
  }
  return new PhotoStore(shards, entries, without, origin);
}
