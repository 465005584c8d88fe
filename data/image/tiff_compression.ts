/**
 * The compressions of TIFF strips and tiles. Each stops at the size that the picture needs, whatever the data would unfold to.
 * @module
 */
import { inflateSync } from "node:zlib";
import { ImageError } from "./image.ts";

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
      return unpackLzw(packed, most);
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

const CLEAR = 256, END = 257;

/** TIFF's LZW: codes of 9 to 12 bits, first bit first, growing one code early. */
function unpackLzw(packed: Uint8Array, most: number): Uint8Array {
  const out = new Uint8Array(most);
  // What a code stands for is always somewhere in the output already: where it starts, and how long it is.
  const starts = new Uint32Array(4097), lengths = new Uint32Array(4097);
  let next = 258, width = 9, buffer = 0, bits = 0, at = 0, previous = -1;
  for (const byte of packed) {
    buffer = (buffer << 8 | byte) & 0xffffff;
    bits += 8;
    if (bits < width) continue;
    bits -= width;
    const code = buffer >> bits & ((1 << width) - 1);
    if (code === END || at === most) break;
    if (code === CLEAR) {
      next = 258;
      width = 9;
      previous = -1;
      continue;
    }
    const literal = code < 256;
    if (!literal && (code > next || previous < 0 || code === next && next > 4095)) {
      throw new ImageError("corrupt", "Cannot decode the TIFF: its LZW data makes no sense");
    }
    if (previous >= 0 && next < 4096) {
      // The new code: the previous string and one more byte, which is the first of what is written now.
      lengths[next] = (previous < 256 ? 1 : lengths[previous]!) + 1;
      starts[next] = at - lengths[next]! + 1;
      next++;
    }
    if (literal) out[at++] = code;
    else for (let i = 0; i < lengths[code]! && at < most; i++) out[at++] = out[starts[code]! + i]!;
    previous = code;
    if (next + 1 >= 1 << width && width < 12) width++;
  }
  return out.subarray(0, at);
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
