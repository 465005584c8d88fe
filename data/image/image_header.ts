/**
 * Reads what an encoded image says about itself, format, size and orientation, without decoding it, so that a decoder is never
 * started on something it could choke on.
 * @module
 */
import { ByteReader, ImageError, type ImageHeader, type Orientation } from "./image.ts";
import { readExifOrientation, readTiffHeader } from "./tiff_header.ts";

/**
 * The header of a JPEG, PNG, GIF or TIFF. Needs the bytes up to the pixel data (all of a TIFF and of a JPEG of several scans, the first
 * frame of a GIF). Throws an `ImageError`: `unsupported` for another format, `corrupt` for a header that is cut off or contradicts itself.
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
  if (reader.startsWith(0x49, 0x49, 42, 0) || reader.startsWith(0x4d, 0x4d, 0, 42)) {
    return readTiffHeader(reader);
  }
  if (reader.length === 0) throw new ImageError("corrupt", "Cannot decode the image: it is empty");
  throw new ImageError("unsupported", "Cannot decode the image: it is no JPEG, PNG, GIF or TIFF");
}

/** Chunk names, as the numbers that their four letters are: a million empty chunks must not take half a second. */
const PNG_CHUNK = { IHDR: 0x49484452, IDAT: 0x49444154, eXIf: 0x65584966 };

function readPngHeader(reader: ByteReader): ImageHeader {
  const chunkName = (at: number) => reader.u32(at + 4);
  if (chunkName(8) !== PNG_CHUNK.IHDR) {
    throw new ImageError("corrupt", "Cannot decode the PNG: it does not begin with IHDR");
  }
  let orientation: Orientation = 1;
  for (let at = 8; chunkName(at) !== PNG_CHUNK.IDAT; at += 12 + reader.u32(at)) {
    if (chunkName(at) === PNG_CHUNK.eXIf) {
      orientation = readExifOrientation(reader.slice(at + 8, at + 8 + reader.u32(at)));
    }
  }
  return { format: "png", width: reader.u32(16), height: reader.u32(20), orientation };
}

function readGifHeader(reader: ByteReader): ImageHeader {
  const little = true;
  const width = reader.u16(6, little), height = reader.u16(8, little);
  const tableSize = (flags: number) => flags & 0x80 ? 3 << ((flags & 7) + 1) : 0;
  let at = 13 + tableSize(reader.u8(10));
  const skipBlocks = () => {
    while (reader.u8(at) !== 0) at += 1 + reader.u8(at);
    at++;
  };
  for (; reader.u8(at) === 0x21; skipBlocks()) at += 2; // extensions before the first frame
  if (reader.u8(at) !== 0x2c) throw new ImageError("corrupt", "Cannot decode the GIF: it holds no frame");
  const right = reader.u16(at + 1, little) + reader.u16(at + 5, little);
  const bottom = reader.u16(at + 3, little) + reader.u16(at + 7, little);
  if (right > width || bottom > height) {
    throw new ImageError(
      "corrupt",
      `Cannot decode the GIF: its first frame reaches to ${right}x${bottom}, beyond its ${width}x${height} pixels`,
    );
  }
  at += 10 + tableSize(reader.u8(at + 9)) + 1;
  skipBlocks();
  return { format: "gif", width, height, orientation: 1, firstFrameEnd: at };
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
      return { ...frame, scans: countScans(reader.bytes, at + length, whole) };
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
 * How often a JPEG's decoder goes over its pixels: the scans up to the end of the image, or of the bytes. One whose first scan has
 * all components (`whole`; Infinity where that says nothing, in a progressive one) has no other, and is not looked through.
 */
function countScans(bytes: Uint8Array, at: number, whole: number): number {
  let scans = 0;
  while (true) {
    while (at < bytes.length && bytes[at] !== 0xff) at++;
    const marker = bytes[++at];
    if (marker === undefined || marker === 0xd9) return scans;
    if (marker === 0xff) continue; // filling
    at++;
    if (marker === 0xda) {
      scans++;
      if (bytes[at + 2] === whole) return scans;
    }
    if (hasLength(marker)) at += Math.max(2, bytes[at]! << 8 | bytes[at + 1]!);
  }
}
