/**
 * The first directory of a TIFF, which is also how EXIF stores its tags.
 * @module
 */
import { ByteReader, ImageError, type ImageHeader, type Orientation } from "./image.ts";

const WIDTH = 256, HEIGHT = 257, ORIENTATION = 274, SAMPLES_PER_PIXEL = 277;

/** Bytes per value of the types that hold whole numbers: BYTE, SHORT and LONG. */
const SIZES: Readonly<Record<number, 1 | 2 | 4>> = { 1: 1, 3: 2, 4: 4 };

/** Size and orientation of a TIFF's first image, in either byte order; throws an `ImageError` where they are missing. */
export function readTiffHeader(reader: ByteReader): ImageHeader {
  const tags = new TiffTags(reader);
  const width = tags.first(WIDTH), height = tags.first(HEIGHT);
  if (width === undefined || height === undefined) {
    throw new ImageError("corrupt", "Cannot decode the TIFF: it does not state its width and height");
  }
  const orientation = asOrientation(tags.first(ORIENTATION));
  return { format: "tiff", width, height, orientation, components: tags.first(SAMPLES_PER_PIXEL) ?? 1 };
}

/** The orientation in an EXIF block (a TIFF without pixels); 1 where there is none or the block makes no sense. */
export function readExifOrientation(exif: Uint8Array): Orientation {
  try {
    return asOrientation(new TiffTags(new ByteReader(exif)).first(ORIENTATION));
  } catch (error) {
    if (error instanceof ImageError) return 1; // a photo is not lost for its metadata
    throw error;
  }
}

/** The whole numbers in the first directory. */
export class TiffTags {
  readonly #reader: ByteReader;
  readonly #entries = new Map<number, number>();
  /** Whether the file's numbers are little-endian. */
  readonly little: boolean;

  /** Reads where the tags are; throws an `ImageError` for a directory beyond the end. */
  constructor(reader: ByteReader) {
    this.#reader = reader;
    this.little = reader.u8(0) === 0x49;
    const directory = reader.u32(4, this.little);
    const count = reader.u16(directory, this.little);
    for (let i = 0; i < count; i++) {
      const at = directory + 2 + 12 * i;
      this.#entries.set(reader.u16(at, this.little), at);
    }
  }

  /** A tag's first value; undefined where the tag is missing or not of whole numbers. */
  first(tag: number): number | undefined {
    return this.#values(tag, 1)[0];
  }

  /** All values of a tag; none where it is missing. */
  all(tag: number): number[] {
    return this.#values(tag, Infinity);
  }

  #values(tag: number, most: number): number[] {
    const reader = this.#reader, entry = this.#entries.get(tag);
    if (entry === undefined) return [];
    const size = SIZES[reader.u16(entry + 2, this.little)];
    const count = reader.u32(entry + 4, this.little);
    if (size === undefined || count === 0) return [];
    const start = size * count <= 4 ? entry + 8 : reader.u32(entry + 8, this.little);
    reader.slice(start, start + size * count); // refuses what lies beyond the end before anything is collected
    const read = (at: number) =>
      size === 1 ? reader.u8(at) : size === 2 ? reader.u16(at, this.little) : reader.u32(at, this.little);
    return Array.from({ length: Math.min(count, most) }, (_, i) => read(start + size * i));
  }
}

function asOrientation(value: number | undefined): Orientation {
  return value !== undefined && value >= 1 && value <= 8 ? value as Orientation : 1;
}
