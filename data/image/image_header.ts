/**
 * Reads what an encoded image says about itself, format, size and orientation, without decoding it, so that a decoder is never
 * started on something it could choke on.
 * @module
 */
import { concat } from "@std/bytes/concat";
import { isBmp, readBmpHeader } from "./bmp.ts";
import { PHOTO_FORMAT_NAMES } from "./formats.ts";
import { readGifHeader } from "./gif.ts";
import { heifKind, readHeifHeader } from "./heif_header.ts";
import { ByteReader, ImageError, type ImageHeader, type Orientation } from "./image.ts";
import { readExifOrientation, readTiffHeader } from "./tiff_header.ts";
import { isWebp, readWebpHeader } from "./webp.ts";

/**
 * The header of a file of any format that is read. Needs the bytes up to the pixel data (all of a TIFF, a WebP, a JPEG of several scans,
 * and of a PNG whose EXIF comes last). Throws an `ImageError`: `unsupported` for another format, `corrupt` for a header that is cut off or contradicts itself.
 */
export function readImageHeader(bytes: Uint8Array): ImageHeader {
  const reader = new ByteReader(bytes);
  const header = readAny(reader);
  if (header.width === 0 || header.height === 0) {
    throw new ImageError(
      "corrupt",
      `Cannot decode the image: its header says ${header.width}x${header.height} pixels`,
    );
  }
  return header;
}

function readAny(reader: ByteReader): ImageHeader {
  if (reader.startsWith(0xff, 0xd8, 0xff)) return readJpegHeader(reader);
  if (reader.startsWith(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a)) return readPngHeader(reader);
  if (reader.startsWith(0x47, 0x49, 0x46, 0x38)) return readGifHeader(reader); // GIF87a, GIF89a
  for (const kind of [42, 43]) { // 43 is BigTIFF
    if (reader.startsWith(0x49, 0x49, kind, 0) || reader.startsWith(0x4d, 0x4d, 0, kind)) {
      return readTiffHeader(reader);
    }
  }
  if (isWebp(reader)) return readWebpHeader(reader);
  if (isBmp(reader)) return readBmpHeader(reader);
  const heif = heifKind(reader);
  if (heif !== undefined) return readHeifHeader(reader, heif);
  if (reader.length === 0) throw new ImageError("corrupt", "Cannot decode the image: it is empty");
  const kind = nameOf(reader.bytes);
  throw new ImageError(
    "unsupported",
    `Cannot decode the image: it is ${kind ? `${kind}, ` : ""}no ${PHOTO_FORMAT_NAMES}`,
  );
}

/** First bytes, as Latin-1, of files that pass for photos under a wrong name, and what people call them. */
const OTHER_KINDS: Readonly<Record<string, string>> = {
  "\0\0\0\x0cjP": "a JPEG 2000",
  "\xffO\xffQ": "a JPEG 2000",
  "\0\0\0\x0cJXL ": "a JPEG XL",
  "\xff\x0a": "a JPEG XL",
  "8BPS": "a Photoshop file",
  "%PDF": "a PDF",
  "\0\0\x01\0": "an icon",
  "PK\x03\x04": "a ZIP",
};

/** What a file is that no decoder here takes; undefined where its first bytes do not tell. */
function nameOf(bytes: Uint8Array): string | undefined {
  const start = String.fromCharCode(...bytes.subarray(0, 512));
  if (start.startsWith("ftyp", 4)) return "a video";
  if (/<html[\s>]|<!doctype html/i.test(start)) return "an HTML page";
  if (/<svg[\s>]|<!doctype svg/i.test(start)) return "an SVG";
  return Object.entries(OTHER_KINDS).find(([first]) => start.startsWith(first))?.[1];
}

/** Chunk names, as the numbers that their four letters are: a million empty chunks must not take half a second. */
const PNG_CHUNK = {
  IHDR: 0x49484452,
  PLTE: 0x504c5445,
  tRNS: 0x74524e53,
  IDAT: 0x49444154,
  IEND: 0x49454e44,
  eXIf: 0x65584966,
};

/** What a PNG's still image is made of. */
const STILL_CHUNKS: readonly number[] = [PNG_CHUNK.IHDR, PNG_CHUNK.PLTE, PNG_CHUNK.tRNS, PNG_CHUNK.IDAT];

function readPngHeader(reader: ByteReader): ImageHeader {
  const chunkName = (at: number) => reader.u32(at + 4);
  if (chunkName(8) !== PNG_CHUNK.IHDR) {
    throw new ImageError("corrupt", "Cannot decode the PNG: it does not begin with IHDR");
  }
  let orientation: Orientation = 1, at = 8;
  const readChunk = () => {
    const end = at + 12 + reader.u32(at);
    if (chunkName(at) === PNG_CHUNK.eXIf) orientation = readExifOrientation(reader.slice(at + 8, end - 4));
    at = end;
  };
  while (chunkName(at) !== PNG_CHUNK.IDAT) readChunk();
  // EXIF may also come behind the pixels, where a file that is cut off loses no more than that.
  while (at + 8 <= reader.length && chunkName(at) !== PNG_CHUNK.IEND) {
    if (at + 12 + reader.u32(at) > reader.length) break;
    readChunk();
  }
  return { format: "png", width: reader.u32(16), height: reader.u32(20), orientation };
}

/** The still image of a PNG as a file of its own, without animation and notes; throws an `ImageError` where it is cut off. */
export function stillPng(png: Uint8Array): Uint8Array {
  const reader = new ByteReader(png);
  const parts = [reader.slice(0, 8)];
  let at = 8, end = 0;
  for (; at < png.length; at = end) {
    const name = reader.u32(at + 4);
    if (name === PNG_CHUNK.IEND) break;
    end = at + 12 + reader.u32(at);
    if (STILL_CHUNKS.includes(name)) parts.push(reader.slice(at, end));
  }
  // The end is always the same; a whole photo may lack it.
  parts.push(Uint8Array.of(0, 0, 0, 0, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82));
  return concat(parts);
}

const EXIF = [0x45, 0x78, 0x69, 0x66, 0, 0]; // "Exif", two zeros

/**
 * Walks a JPEG's markers up to the frame header (SOF) exactly as libjpeg does, so that what is checked is what will be decoded; throws an
 * `ImageError` where it is missing or of a kind that no decoder here takes.
 */
function readJpegHeader(reader: ByteReader): ImageHeader {
  let orientation: Orientation = 1;
  let at = 2;
  while (true) {
    while (reader.u8(at) !== 0xff || reader.u8(at + 1) === 0xff || reader.u8(at + 1) === 0) at++;
    const marker = reader.u8(at + 1);
    at += 2;
    if (marker >= 0xd0 && marker <= 0xd7 || marker === 0x01) continue; // no length follows
    if (marker >= 0xd8 && marker <= 0xda) {
      throw new ImageError("corrupt", "Cannot decode the JPEG: its pixels come before their size");
    }
    const length = reader.u16(at);
    if (length < 2) {
      throw new ImageError("corrupt", `Cannot decode the JPEG: a segment has the length ${length}`);
    }
    if (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)) {
      const frame = readJpegFrame(reader, at, marker, orientation);
      const whole = marker === 0xc2 ? Infinity : frame.components!;
      const { starts, end } = walkScans(reader.bytes, at + length, whole);
      if (end === reader.length && missesScans(reader.bytes, at, starts)) {
        throw new ImageError("corrupt", "Cannot decode the JPEG: it is cut off, its last scans are missing");
      }
      return { ...frame, scans: starts.length };
    }
    if (marker === 0xe1) {
      const segment = reader.slice(at + 2, at + length);
      if (EXIF.every((byte, i) => segment[i] === byte)) {
        orientation = readExifOrientation(segment.subarray(6));
      }
    }
    at += length;
  }
}

function readJpegFrame(
  reader: ByteReader,
  at: number,
  marker: number,
  orientation: Orientation,
): ImageHeader {
  // Baseline, extended and progressive with Huffman coding; not lossless, hierarchical or arithmetic-coded.
  if (marker > 0xc2) {
    throw new ImageError(
      "unsupported",
      `Cannot decode the JPEG: its coding SOF${marker - 0xc0} is not supported`,
    );
  }
  const precision = reader.u8(at + 2);
  if (precision !== 8) {
    throw new ImageError(
      "unsupported",
      `Cannot decode the JPEG: it has ${precision} bits per sample, expected 8`,
    );
  }
  const height = reader.u16(at + 3), width = reader.u16(at + 5);
  return { format: "jpeg", width, height, orientation, components: reader.u8(at + 7) };
}

/** Markers that a length follows, of those that libjpeg takes; it gives up, or looks on, at all others. */
function hasLength(marker: number): boolean {
  return marker >= 0xc0 && marker <= 0xcf || marker >= 0xda && marker <= 0xdd ||
    marker >= 0xe0 && marker <= 0xef ||
    marker === 0xfe;
}

/**
 * The scans that a JPEG's decoder goes over, as the offsets of their headers, and where they end: at the end marker, or with the bytes.
 * One whose first scan has all components (`whole`; Infinity where that says nothing, in a progressive one) has no other, and is not
 * looked through: its end is undefined.
 */
function walkScans(
  bytes: Uint8Array,
  at: number,
  whole: number,
): { starts: number[]; end: number | undefined } {
  const starts: number[] = [];
  while (true) {
    while (at < bytes.length && bytes[at] !== 0xff) at++;
    const marker = bytes[++at];
    if (marker === undefined) return { starts, end: bytes.length };
    if (marker === 0xd9) return { starts, end: at - 1 };
    if (marker === 0xff) continue; // filling
    at++;
    if (marker === 0xda) {
      starts.push(at);
      if (bytes[at + 2] === whole) return { starts, end: undefined };
    }
    if (hasLength(marker)) at += Math.max(2, bytes[at]! << 8 | bytes[at + 1]!);
  }
}

/**
 * Whether the scans leave out a component, one of its 64 frequencies or the last bit of one. A file that is cut off between two scans is
 * whole to libjpeg, only coarser. `frame` is the offset of the frame header.
 */
function missesScans(bytes: Uint8Array, frame: number, starts: readonly number[]): boolean {
  const ids = Array.from({ length: bytes[frame + 7]! }, (_, i) => bytes[frame + 8 + 3 * i]!);
  const bitsLeft = new Map(ids.map((id) => [id, new Uint8Array(64).fill(16)]));
  const progressive = bytes[frame - 1] === 0xc2;
  for (const at of starts.slice(0, 1000)) { // files of far fewer are refused
    const count = bytes[at + 2]!, [first = 0, last = 0, bits = 15] = bytes.subarray(at + 3 + 2 * count);
    for (let i = 0; i < count; i++) {
      const left = bitsLeft.get(bytes[at + 3 + 2 * i]!);
      if (progressive) left?.fill(bits & 15, first, last + 1);
      else left?.fill(0);
    }
  }
  return bitsLeft.values().some((left) => left.some((bits) => bits > 0));
}

/** Where a JPEG's pixels end: the offset of its end marker, or where its bytes end, but for the first half of a marker. */
export function jpegPixelsEnd(jpeg: Uint8Array): number {
  let end = walkScans(jpeg, 2, Infinity).end!;
  while (jpeg[end - 1] === 0xff) end--;
  return end;
}
