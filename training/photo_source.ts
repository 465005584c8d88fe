/** @module */

/** Decoded photos by index: what training and evaluation read from. `data/cache.ts` is one. */
export interface PhotoSource {
  /** One for each photo, in a fixed order. */
  readonly entries: readonly { readonly width: number; readonly height: number; readonly label: number }[];
  /** RGBA bytes of a photo; the array may be reused by the next call only if it says so. */
  read(index: number): { width: number; height: number; data: Uint8Array };
}
