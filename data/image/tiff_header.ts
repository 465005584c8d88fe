/**
 * The first directory of a TIFF, which is also how EXIF stores its tags.
 * @module
 */
import { ByteReader, ImageError, type ImageHeader, type Orientation } from "./image.ts";

const WIDTH = 256, HEIGHT = 257, ORIENTATION = 274, SAMPLES_PER_PIXEL = 277;

/** Bytes per value of the types that hold whole numbers: BYTE, SHORT, LONG, UNDEFINED, IFD, LONG8 and IFD8. */
const SIZES: Readonly<Record<number, 1 | 2 | 4 | 8>> = { 1: 1, 3: 2, 4: 4, 7: 1, 13: 4, 16: 8, 18: 8 };

/** The type of a quotient of two 32-bit numbers. */
const RATIONAL = 5;

/** BigTIFF, whose offsets have 64 bits, differs from TIFF in this number, 43 instead of 42, and in the sizes of the directory's fields. */
const BIG = 43;

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

/** The numbers in the first directory. */
export class TiffTags {
  readonly #reader: ByteReader;
  readonly #entries = new Map<number, number>();
  readonly #big: boolean;
  /** Whether the file's numbers are little-endian. */
  readonly little: boolean;

  /** Reads where the tags are; throws an `ImageError` for a directory beyond the end. */
  constructor(reader: ByteReader) {
    this.#reader = reader;
    const little = this.little = reader.u8(0) === 0x49;
    const big = this.#big = reader.u16(2, little) === BIG;
    const directory = big ? reader.u64(8, little) : reader.u32(4, little);
    const count = big ? reader.u64(directory, little) : reader.u16(directory, little);
    const first = directory + (big ? 8 : 2), size = big ? 20 : 12;
    for (let i = 0; i < count; i++) {
      const at = first + size * i;
      this.#entries.set(reader.u16(at, little), at);
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

  /** The quotients of a tag; none where it is missing or of another type. */
  quotients(tag: number): number[] {
    const { type, count, start } = this.#find(tag, () => 8);
    if (type !== RATIONAL) return [];
    const read = (at: number) => this.#reader.u32(at, this.little);
    return Array.from({ length: count }, (_, i) => read(start + 8 * i) / read(start + 8 * i + 4));
  }

  /** The bytes of a tag, not copied; undefined where it is missing. */
  bytes(tag: number): Uint8Array | undefined {
    const { count, start } = this.#find(tag, () => 1);
    return count === 0 ? undefined : this.#reader.slice(start, start + count);
  }

  #values(tag: number, most: number): number[] {
    const { type, count, start } = this.#find(tag, (type) => SIZES[type]);
    const size = SIZES[type];
    if (size === undefined) return [];
    const { little } = this, reader = this.#reader;
    const read = (at: number) =>
      size === 1
        ? reader.u8(at)
        : size === 2
        ? reader.u16(at, little)
        : size === 4
        ? reader.u32(at, little)
        : reader.u64(at, little);
    return Array.from({ length: Math.min(count, most) }, (_, i) => read(start + size * i));
  }

  /** Where a tag's values are, of which none lies beyond the end; none where it is missing or of a type without a size. */
  #find(
    tag: number,
    sizeOf: (type: number) => number | undefined,
  ): { type: number; count: number; start: number } {
    const reader = this.#reader, { little } = this, entry = this.#entries.get(tag);
    const none = { type: 0, count: 0, start: 0 };
    if (entry === undefined) return none;
    const type = reader.u16(entry + 2, little), size = sizeOf(type);
    const count = this.#big ? reader.u64(entry + 4, little) : reader.u32(entry + 4, little);
    if (size === undefined || count === 0) return none;
    const field = entry + (this.#big ? 12 : 8);
    const inside = size * count <= (this.#big ? 8 : 4);
    const start = inside ? field : this.#big ? reader.u64(field, little) : reader.u32(field, little);
    reader.slice(start, start + size * count);
    return { type, count, start };
  }
}

function asOrientation(value: number | undefined): Orientation {
  return value !== undefined && value >= 1 && value <= 8 ? value as Orientation : 1;
}
