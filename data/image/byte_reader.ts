import { ImageError } from "./image.ts";

/** Reads numbers from an encoded image; anything beyond its end is an `ImageError` of code `corrupt`. */
export class ByteReader {
  readonly #view: DataView;

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
