/**
 * The compressions of TIFF strips and tiles. Each stops at the size that the picture needs, whatever the data would unfold to.
 * @module
 */
import { concat } from "@std/bytes/concat";
import { inflateSync, zstdDecompressSync } from "node:zlib";
import { decodeJpeg } from "./codecs.ts";
import { ImageError } from "./image.ts";
import { readImageHeader } from "./image_header.ts";
import { unpackLzw } from "./lzw.ts";

/** The compressions that others must know of. */
export const COMPRESSION = { jpeg: 7 } as const;

/** What people call the compressions that are not supported. */
const NAMES: Readonly<Record<number, string>> = {
  2: "CCITT run lengths",
  3: "CCITT fax group 3",
  4: "CCITT fax group 4",
  6: "JPEG as before 1995",
  32809: "ThunderScan",
  34661: "JBIG",
  34676: "LogLuv",
  34712: "JPEG 2000",
  34925: "LZMA",
  50001: "WebP",
};

/** What a strip or tile is packed in, and what it holds. */
export interface Packing {
  readonly compression: number;
  /** Bytes that the picture needs of it, and that there can be. */
  readonly need: number;
  readonly most: number;
  /** Pixels that the picture needs of it, and samples that lie together. */
  readonly columns: number;
  readonly rows: number;
  readonly together: number;
  /** Whether a byte's first bit is its lowest. */
  readonly reversed: boolean;
  /** JPEG: what all strips or tiles share, and whether their colours are YCbCr. */
  readonly jpegTables: Uint8Array | undefined;
  readonly transformed: boolean;
}

/**
 * Unpacks a strip or tile to at least `need` and at most `most` bytes. Rejects with an `ImageError`: `unsupported` for another
 * compression, `corrupt` for data that makes no sense or is too little.
 */
export async function unpack(packed: Uint8Array, packing: Packing): Promise<Uint8Array> {
  const bytes = packing.compression === COMPRESSION.jpeg
    ? await unpackJpeg(packed, packing)
    : unpackAny(packing.reversed ? packed.map((byte) => REVERSED[byte]!) : packed, packing);
  if (bytes.length < packing.need) {
    throw new ImageError(
      "corrupt",
      `Cannot decode the TIFF: a strip or tile has ${bytes.length} bytes, expected ${packing.need}`,
    );
  }
  return bytes;
}

/** The bits of every byte in reverse. */
const REVERSED = Uint8Array.from({ length: 256 }, (_, byte) => {
  let reversed = 0;
  for (let bit = 0; bit < 8; bit++) if (byte >> bit & 1) reversed |= 0x80 >> bit;
  return reversed;
});

function unpackAny(packed: Uint8Array, { compression, most }: Packing): Uint8Array {
  switch (compression) {
    case 1:
      return packed;
    case 5:
      return unpackTiffLzw(packed, most);
    case 8:
    case 32946:
    case 50000:
      try {
        return (compression === 50000 ? zstdDecompressSync : inflateSync)(packed, { maxOutputLength: most });
      } catch (error) {
        const reason = (error as Error).message;
        throw new ImageError("corrupt", `Cannot decode the TIFF: its pixel data is damaged (${reason})`);
      }
    case 32773:
      return unpackBits(packed, most);
    default: {
      const name = NAMES[compression] ? ` (${NAMES[compression]})` : "";
      throw new ImageError(
        "unsupported",
        `Cannot decode the TIFF: its compression ${compression}${name} is not supported`,
      );
    }
  }
}

/** Scans at most of a strip's or tile's JPEG: one for each component. */
const MAX_SCANS = 4;

/** A strip or tile that is a JPEG, its tables in the file's directory, as the RGB or the one sample of each pixel. */
async function unpackJpeg(
  packed: Uint8Array,
  { together, columns, rows, most, jpegTables, transformed }: Packing,
): Promise<Uint8Array> {
  // Tables are a JPEG without an image. Adobe's segment tells whether three components are YCbCr.
  const tables = jpegTables?.subarray(2, jpegTables.length - 2) ?? new Uint8Array();
  const adobe = [0xff, 0xee, 0, 14, 0x41, 0x64, 0x6f, 0x62, 0x65, 0, 100, 0, 0, 0, 0, transformed ? 1 : 0];
  const jpeg = concat([Uint8Array.of(0xff, 0xd8, ...adobe), tables, packed.subarray(2)]);
  const { width, height, components, scans } = readImageHeader(jpeg);
  if (components !== together || width !== columns || height < rows || width * height * together > most) {
    throw new ImageError(
      "corrupt",
      `Cannot decode the TIFF: a strip or tile is a JPEG of ${width}x${height} pixels and ${components} components, ` +
        `expected ${columns}x${rows} and ${together}`,
    );
  }
  if (scans! > MAX_SCANS) {
    throw new ImageError("too-large", `Cannot decode the TIFF: a strip or tile is a JPEG of ${scans} scans`);
  }
  const { data } = await decodeJpeg(jpeg);
  const bytes = new Uint8Array(width * height * together);
  for (let i = 0, from = 0; i < bytes.length; from += 4) {
    for (let c = 0; c < together; c++) bytes[i++] = data[from + c]!;
  }
  return bytes;
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
