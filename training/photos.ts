/**
 * Opens the photos of a data set: decoded once into a cache on disk, then read by index.
 * @module
 */
import { CacheError, openPhotoStore } from "../data/dataset/cache.ts";
import { DataError, type Sample } from "../data/dataset/folder.ts";
import type { PhotoStore } from "../data/dataset/photo_store.ts";

/** How photos are opened. */
export interface PhotoOptions {
  /** Shorter side that photos are shrunk to while decoding, in pixels. */
  readonly side: number;
  /** Folder of the cache. */
  readonly cacheDir?: string | undefined;
  /** Decoding processes; default: one per core. */
  readonly workers?: number | undefined;
  readonly signal?: AbortSignal | undefined;
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
  for (const { path, reason } of store.skipped) onNote?.(`Left out ${path}: ${reason}`);
  if (store.skipped.length > 0) onNote?.(`Left out ${store.skipped.length} of ${samples.length} files`);
  if (samples.length > 0 && store.entries.length === 0) {
    throw new DataError(`Cannot use the photos: none of ${samples.length} could be decoded`);
  }
  return store;
}
