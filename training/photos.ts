/**
 * Opens the photos of some splits: decoded once, then read from memory.
 * @module
 */
import { DecoderPool } from "../data/decoder_pool.ts";
import { DataError, type Sample } from "../data/folder.ts";
import { ImageError } from "../data/image.ts";
import type { PhotoSource } from "./photo_source.ts";

/** How photos are opened. */
export interface PhotoOptions {
  /** Shorter side that photos are shrunk to while decoding, in pixels. */
  readonly side: number;
  /** Decoding threads; default: one per core. */
  readonly workers?: number | undefined;
  readonly onProgress?: (done: number, total: number) => void;
  /** Called once for each file that cannot be decoded; it is left out. */
  readonly onSkipped?: (path: string, reason: string) => void;
}

/** Decodes every photo of a split. Throws a `DataError` if none can be decoded. */
export async function openPhotos(samples: readonly Sample[], options: PhotoOptions): Promise<PhotoSource> {
  await using pool = new DecoderPool(options.workers ? { workers: options.workers } : {});
  const photos: ({ width: number; height: number; data: Uint8Array; label: number } | undefined)[] = [];
  let next = 0, done = 0;
  const take = async () => {
    while (next < samples.length) {
      const index = next++;
      const { path, label } = samples[index]!;
      try {
        const image = await pool.decode(await Deno.readFile(path), { shorterSide: options.side });
        photos[index] = { ...image, label };
      } catch (error) {
        if (!(error instanceof ImageError)) throw error;
        options.onSkipped?.(path, error.message);
      }
      options.onProgress?.(++done, samples.length);
    }
  };
  await Promise.all(Array.from({ length: 4 * navigator.hardwareConcurrency }, take));
  const entries = photos.filter((p) => p !== undefined);
  if (samples.length > 0 && entries.length === 0) {
    throw new DataError(`Cannot use the photos: none of ${samples.length} could be decoded`);
  }
  return { entries, read: (index) => entries[index]! };
}
