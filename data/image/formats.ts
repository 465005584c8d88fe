/**
 * The formats of photos that are read: the one list that file names, sentences and the server's page are held to.
 * @module
 */

/** A format of photos. */
export interface PhotoFormat {
  /** What people call it. */
  readonly name: string;
  /** Its media type. */
  readonly type: string;
  /** How names of its files end, without the dot and in small letters. */
  readonly endings: readonly string[];
}

/** Every format that `decodeImage` reads. */
export const PHOTO_FORMATS: readonly PhotoFormat[] = [
  { name: "JPEG", type: "image/jpeg", endings: ["jpg", "jpeg"] },
  { name: "PNG", type: "image/png", endings: ["png"] },
  { name: "GIF", type: "image/gif", endings: ["gif"] },
  { name: "TIFF", type: "image/tiff", endings: ["tif", "tiff"] },
  { name: "WebP", type: "image/webp", endings: ["webp"] },
  { name: "BMP", type: "image/bmp", endings: ["bmp", "dib"] },
  { name: "AVIF", type: "image/avif", endings: ["avif"] },
  { name: "HEIC", type: "image/heic", endings: ["heic", "heif", "hif"] },
];

/** Their names in a sentence. */
export const PHOTO_FORMAT_NAMES: string = new Intl.ListFormat("en-GB", { type: "disjunction" }).format(
  PHOTO_FORMATS.map(({ name }) => name),
);
