/**
 * The compressions of TIFF strips and tiles. Each stops at the size that the picture needs, whatever the data would unfold to.
 * @module
 */
import { inflateSync } from "node:zlib";
import { ImageError } from "./image.ts";
import { unpackLzw } from "./lzw.ts";

/**
 * Unpacks a strip or tile to at least `need` and at most `most` bytes. Throws an `ImageError`: `unsupported` for another compression,
 * `corrupt` for data that makes no sense or is too little.
 */
export function unpack(packed: Uint8Array, compression: number, need: number, most: number): Uint8Array {
  const bytes = unpackAny(packed, compression, most);
  if (bytes.length < need) {
    throw new ImageError(
      "corrupt",
      `Cannot decode the TIFF: a strip or tile has ${bytes.length} bytes, expected ${need}`,
    );
  }
  return bytes;
}

function unpackAny(packed: Uint8Array, compression: number, most: number): Uint8Array {
  switch (compression) {
    case 1:
      return packed;
    case 5:
      return unpackTiffLzw(packed, most);
    case 8:
    case 32946:
      try {
        return inflateSync(packed, { maxOutputLength: most });
      } catch (error) {
        throw new ImageError("corrupt", `Cannot decode the TIFF: ${(error as Error).message}`);
      }
    case 32773:
      return unpackBits(packed, most);
    default:
      throw new ImageError(
        "unsupported",
        `Cannot decode the TIFF: its compression ${compression} is not supported`,
      );
  }
}

/** LZW as TIFF 6 has it or, where the data begins with a clear code that only makes sense so, as the writers before had it. */
function unpackTiffLzw(packed: Uint8Array, most: number): Uint8Array {
  const old = packed[0] === 0 && (packed[1]! & 1) === 1;
  const bytes = unpackLzw(packed, most, { bits: 8, lowFirst: old, early: !old });
  if (bytes !== undefined) return bytes;
  throw new ImageError("corrupt", "Cannot decode the TIFF: its LZW data makes no sense");
}

/** PackBits: a count n below 128 and n + 1 bytes as they are, or a count above and one byte 257 - n times. */
function unpackBits(packed: Uint8Array, most: number): Uint8Array {
  const out = new Uint8Array(most);
  let at = 0;
  for (let i = 0; i < packed.length && at < most;) {
    const count = packed[i++]!;
    if (count < 128) {
      const bytes = packed.subarray(i, i + Math.min(count + 1, most - at));
      out.set(bytes, at);
      at += bytes.length;
      i += count + 1;
    } else if (count > 128) {
      const end = Math.min(at + 257 - count, most);
      if (i < packed.length) out.fill(packed[i++]!, at, end);
      at = end;
    }
  }
  return out.subarray(0, at);
}
