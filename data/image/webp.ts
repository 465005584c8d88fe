/**
 * WebP: what a file says of itself, and its still image or, of an animation, the first frame in its place on the canvas.
 * @module
 */
import { concat } from "@std/bytes/concat";
import { ByteReader, type DecodedImage, ImageError, type ImageHeader, type Orientation } from "./image.ts";
import { readExifOrientation } from "./tiff_header.ts";

/** Bits of an extended header's flags (RFC 9649). */
const ANIMATED = 0x02, ALPHA = 0x10;

const EXIF = "Exif\0\0";

interface Chunk {
  readonly name: string;
  /** Where its data begins and ends; chunks of odd length have a byte behind them. */
  readonly start: number;
  readonly end: number;
}

/** Whether a file begins as a WebP does. */
export function isWebp(reader: ByteReader): boolean {
  return nameAt(reader.bytes, 0) === "RIFF" && nameAt(reader.bytes, 8) === "WEBP";
}

/** Size and orientation of a WebP's canvas; throws an `ImageError` where the file is cut off or has no picture. */
export function readWebpHeader(reader: ByteReader): ImageHeader {
  const chunks = chunksOf(reader, 12, reader.length);
  const first = chunks[0];
  if (first === undefined) throw corrupt("it holds no picture");
  const [width, height] = sizeOf(reader, first);
  let orientation: Orientation = 1;
  const exif = first.name === "VP8X" && chunks.find(({ name }) => name === "EXIF");
  if (exif) {
    const bytes = reader.slice(exif.start, exif.end);
    // Some programs put what stands before EXIF in a JPEG here, too.
    const marked = String.fromCharCode(...bytes.subarray(0, 6)) === EXIF;
    orientation = readExifOrientation(marked ? bytes.subarray(6) : bytes);
  }
  return { format: "webp", width, height, orientation };
}

/** The chunks between two offsets; throws where one that the picture needs is cut off. */
function chunksOf(reader: ByteReader, from: number, to: number): Chunk[] {
  const chunks: Chunk[] = [];
  for (let at = from; at + 8 <= to;) {
    const name = nameAt(reader.bytes, at), length = reader.u32(at + 4, true), end = at + 8 + length;
    // What stands behind the pixels, such as notes, may be missing.
    if (end > to && (chunks.length === 0 || /^(VP8[ L]|ALPH|ANMF)$/.test(name))) {
      throw corrupt(`it is cut off after ${reader.length} bytes`);
    }
    if (end > to) break;
    chunks.push({ name, start: at + 8, end });
    at = end + length % 2;
  }
  return chunks;
}

/** What the first chunk says of the canvas, or a frame's own of its picture. */
function sizeOf(reader: ByteReader, { name, start }: Chunk): [width: number, height: number] {
  const u24 = (at: number) => reader.u16(at, true) | reader.u8(at + 2) << 16;
  switch (name) {
    case "VP8X":
      return [u24(start + 4) + 1, u24(start + 7) + 1];
    case "VP8 ":
      return [reader.u16(start + 6, true) & 0x3fff, reader.u16(start + 8, true) & 0x3fff];
    case "VP8L": {
      const bits = reader.u32(start + 1, true);
      return [(bits & 0x3fff) + 1, (bits >>> 14 & 0x3fff) + 1];
    }
  }
  throw corrupt(`it begins with a chunk "${name.replace(/[^ -~]/g, "?")}", expected a picture`);
}

/** Decodes a still WebP with `decode`, and of an animation the first frame, on a canvas that is see-through elsewhere. */
export async function decodeWebp(
  bytes: Uint8Array,
  decode: (still: Uint8Array) => Promise<DecodedImage>,
): Promise<DecodedImage> {
  const reader = new ByteReader(bytes), chunks = chunksOf(reader, 12, reader.length), [first] = chunks;
  if (first?.name !== "VP8X" || (reader.u8(first.start) & ANIMATED) === 0) return await decode(bytes);
  const frame = chunks.find(({ name }) => name === "ANMF");
  if (frame === undefined) throw corrupt("it holds no frame");
  const u24 = (at: number) => reader.u16(frame.start + at, true) | reader.u8(frame.start + at + 2) << 16;
  const [left, top, columns, rows] = [2 * u24(0), 2 * u24(3), u24(6) + 1, u24(9) + 1];
  const [width, height] = sizeOf(reader, first);
  if (left + columns > width || top + rows > height) throw corrupt("its first frame lies beyond its canvas");
  const still = await decode(stillOf(reader, frame, columns, rows));
  if (still.width !== columns || still.height !== rows) {
    throw corrupt("its first frame has another size than it says");
  }
  const data = new Uint8Array(width * height * 4);
  for (let y = 0; y < rows; y++) {
    const row = still.data.subarray(y * columns * 4, (y + 1) * columns * 4);
    data.set(row, ((top + y) * width + left) * 4);
  }
  return { width, height, data };
}

/** A frame as a file of its own. */
function stillOf(reader: ByteReader, frame: Chunk, columns: number, rows: number): Uint8Array {
  const parts = chunksOf(reader, frame.start + 16, frame.end).filter(({ name }) =>
    /^VP8[ L]$|^ALPH$/.test(name)
  );
  const le = (value: number, bytes: number) => Array.from({ length: bytes }, (_, i) => value >>> 8 * i & 255);
  const extended = [ALPHA, 0, 0, 0, ...le(columns - 1, 3), ...le(rows - 1, 3)];
  // A picture's size is that of the extended header, or the decoder refuses it.
  const body = concat([
    text("WEBPVP8X"),
    Uint8Array.from([...le(extended.length, 4), ...extended]),
    ...parts.map(({ start, end }) => reader.slice(start - 8, end + (end - start) % 2)),
  ]);
  return concat([text("RIFF"), Uint8Array.from(le(body.length, 4)), body]);
}

function text(letters: string): Uint8Array {
  return Uint8Array.from(letters, (letter) => letter.charCodeAt(0));
}

function nameAt(bytes: Uint8Array, at: number): string {
  return String.fromCharCode(...bytes.subarray(at, at + 4));
}

function corrupt(reason: string): ImageError {
  return new ImageError("corrupt", `Cannot decode the WebP: ${reason}`);
}
