/**
 * Where photos come from: opened from a cache on disk, or kept in device memory.
 * @module
 */
import { CacheError, openPhotoStore } from "../../data/dataset/cache.ts";
import { DataError, type Sample } from "../../data/dataset/folder.ts";
import type { PhotoStore } from "../../data/dataset/photo_store.ts";
import { count } from "../../engine/text.ts";
import type { Gpu } from "../../engine/device.ts";
import type { PhotoSource } from "./photos.ts";

/** Files that cannot be decoded and are named one by one, with the reason; the others are counted. */
const NAMED = 20;

/** How photos are opened. */
export interface PhotoOptions {
  /** Shorter side that photos are shrunk to while decoding, in pixels. */
  readonly side: number;
  /** Folder of the cache. */
  readonly cacheDir?: string | undefined;
  /** Decoding processes; default: one per core. */
  readonly workers?: number | undefined;
  /** Ends decoding. */
  readonly signal?: AbortSignal | undefined;
  /** Called after each photo that had to be decoded. */
  readonly onProgress?: (done: number, total: number) => void;
  /** Called once for each thing to tell: a file left out, a cache that cannot be written. */
  readonly onNote?: (text: string) => void;
}

/**
 * Opens all of `samples` in one store; `select` gives each split. Where the cache cannot be written, photos are kept in memory.
 * Throws a `DataError` if none can be decoded.
 */
export async function openPhotos(samples: readonly Sample[], options: PhotoOptions): Promise<PhotoStore> {
  const { side, cacheDir, workers, signal, onProgress, onNote } = options;
  const open = (place: { cacheDir?: string | null }) =>
    openPhotoStore(samples, {
      ...place,
      side,
      ...workers !== undefined && { workers },
      ...onProgress && { onProgress },
      ...signal && { signal },
    });
  let store: PhotoStore;
  try {
    store = await open(cacheDir === undefined ? {} : { cacheDir });
  } catch (error) {
    if (!(error instanceof CacheError)) throw error;
    onNote?.(`${error.message}; the photos are kept in memory instead`);
    store = await open({ cacheDir: null });
  }
  const { skipped } = store;
  for (const { path, reason } of skipped.slice(0, NAMED)) onNote?.(`Left out ${path}: ${reason}`);
  if (skipped.length > NAMED) {
    onNote?.(`Left out ${count(skipped.length - NAMED, "more file")} that cannot be decoded`);
  }
  if (samples.length > 0 && store.entries.length === 0) {
    throw new DataError(`Cannot use the photos: none of ${samples.length} could be decoded`);
  }
  return store;
}

/** Whether photos are kept in device memory; auto: on a GPU, where they need little of it. */
export type Resident = "auto" | "always" | "never";

/** Every choice, for command lines. */
export const RESIDENT = ["auto", "always", "never"] as const satisfies readonly Resident[];

/** WebGPU does not tell how much memory is free, so "auto" stays below what cards of the last ten years have. */
const AUTO_BYTES = 2 * 2 ** 30;

/** Whether `choice` means to upload these photos. On a software adapter the copy would only double the memory. */
export function wantsResident(choice: Resident, gpu: Gpu, store: PhotoStore): boolean {
  if (choice !== "auto") return choice === "always";
  return gpu.kind !== "cpu" && store.bytes <= AUTO_BYTES;
}

/** The shards of a store on the device. */
export class ResidentPhotos implements Disposable {
  private constructor(readonly gpu: Gpu, readonly buffers: readonly GPUBuffer[]) {}

  /** Uploads every shard; throws `GpuValidationError` where the device has no room, having freed what it took. */
  static async upload(gpu: Gpu, store: PhotoStore): Promise<ResidentPhotos> {
    const buffers: GPUBuffer[] = [];
    try {
      for (const [shard, bytes] of store.shards.entries()) {
        await gpu.guard(`keep ${bytes} bytes of photos on the device`, () => {
          const usage = GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
          const buffer = gpu.createBuffer(`photos ${shard}`, bytes, usage);
          buffers.push(buffer);
          gpu.device.queue.writeBuffer(buffer, 0, store.readShard(shard));
        });
        // What is written waits in host memory until it is submitted: one shard of it at a time.
        await gpu.settle();
      }
    } catch (error) {
      for (const buffer of buffers) gpu.destroyBuffer(buffer);
      throw error;
    }
    return new ResidentPhotos(gpu, buffers);
  }

  /** The photos of `store`, which must be the uploaded store or a selection from it. */
  of({ entries }: PhotoStore): PhotoSource {
    return {
      entries,
      pixels: (index) => {
        const { shard, offset } = entries[index]!;
        return { buffer: this.buffers[shard]!, offset };
      },
    };
  }

  /** Frees the device memory. */
  [Symbol.dispose](): void {
    for (const buffer of this.buffers) this.gpu.destroyBuffer(buffer);
  }
}
