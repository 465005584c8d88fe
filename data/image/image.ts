/**
 * What all readers of images share: what an image is, encoded and decoded, what can be wrong with one, and reading its numbers.
 * @module
 */
import { UserError } from "../../engine/errors.ts";

/** A decoded photo: upright (EXIF applied), 8-bit RGBA, row-major, `data.length = width * height * 4`. */
export interface DecodedImage {
  /** Columns. */
  readonly width: number;
  /** Rows. */
  readonly height: number;
  /** RGBA bytes. */
  readonly data: Uint8Array<ArrayBuffer>;
}

/**
 * Why a file could not become a `DecodedImage`. The last three are not its own fault: decoders ended without an answer (`failed`), could
 * not be started (`unavailable`), or the one for its format could not be fetched (`no-decoder`).
 */
export type ImageErrorCode =
  | "too-large"
  | "unsupported"
  | "corrupt"
  | "timeout"
  | "failed"
  | "unavailable"
  | "no-decoder";

/** An image that cannot or must not be decoded. `code` tells a server which status to answer with. */
export class ImageError extends UserError {
  /** The class's name. */
  override readonly name = "ImageError";

  /** `message` is one sentence. */
  constructor(readonly code: ImageErrorCode, message: string) {
    super(message);
  }
}

/** The file formats that can be decoded. */
export type ImageFormat = "jpeg" | "png" | "gif" | "tiff" | "webp" | "bmp" | "avif" | "heic";

/** EXIF orientation: 1 is upright; 5 to 8 swap width and height (see `orient`). */
export type Orientation = 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8;

/** An image's self-description. */
export interface ImageHeader {
  /** The file's format. */
  readonly format: ImageFormat;
  /** Columns as stored, before `orientation` is applied. */
  readonly width: number;
  /** Rows as stored. */
  readonly height: number;
  /** How the stored pixels lie. */
  readonly orientation: Orientation;
  /** Colour components of a JPEG: 1 grey, 3 colour, 4 CMYK; samples per pixel of a TIFF; absent otherwise. */
  readonly components?: number;
  /** JPEG only: how often its pixels are gone over; a baseline one has 1, progressive ones about 10. */
  readonly scans?: number;
}

/** Reads numbers from an encoded image; anything beyond its end is an `ImageError` of code `corrupt`. */
export class ByteReader {
  readonly #view: DataView;

  /** Reads `bytes`, not copied. */
  constructor(readonly bytes: Uint8Array) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Number of bytes. */
  get length(): number {
    return this.bytes.length;
  }

  /** Whether these are the first bytes. */
  startsWith(...expected: number[]): boolean {
    return expected.every((byte, i) => this.bytes[i] === byte);
  }

  /** The byte at an offset. */
  u8(at: number): number {
    this.#need(at, 1);
    return this.#view.getUint8(at);
  }

  /** The 16-bit number at an offset, big-endian unless `little`. */
  u16(at: number, little = false): number {
    this.#need(at, 2);
    return this.#view.getUint16(at, little);
  }

  /** The 32-bit number at an offset, big-endian unless `little`. */
  u32(at: number, little = false): number {
    this.#need(at, 4);
    return this.#view.getUint32(at, little);
  }

  /** The 64-bit number at an offset, big-endian unless `little`; exact to 2^53. */
  u64(at: number, little = false): number {
    this.#need(at, 8);
    return Number(this.#view.getBigUint64(at, little));
  }

  /** The bytes of a range, not copied. */
  slice(start: number, end: number): Uint8Array {
    this.#need(start, end - start);
    return this.bytes.subarray(start, end);
  }

  #need(at: number, count: number): void {
    if (at + count > this.length) {
      throw new ImageError("corrupt", `Cannot decode the image: it is cut off after ${this.length} bytes`);
    }
  }
}
