/**
 * The first frame of a GIF.
 *
 * Own code because imagescript's decoder traps on valid files (a first frame larger than the canvas, no palette, an empty comment, codes
 * that do not begin by clearing the table), and would read every frame before it gives the first.
 * @module
 */
import { ByteReader, type DecodedImage, ImageError, type ImageHeader } from "./image.ts";
import { unpackLzw } from "./lzw.ts";

const EXTENSION = 0x21, FRAME = 0x2c, TRAILER = 0x3b;
const GRAPHIC_CONTROL = 0xf9;

/** The canvas, and the first frame in its place on it. */
interface FirstFrame {
  readonly width: number;
  readonly height: number;
  readonly left: number;
  readonly top: number;
  readonly columns: number;
  readonly rows: number;
  readonly interlaced: boolean;
  /** RGB bytes; undefined where neither the frame nor the file has any. */
  readonly palette: Uint8Array | undefined;
  /** The index that is see-through, if any. */
  readonly transparent: number | undefined;
  /** Where its pixels begin: the bits of an index, then blocks. */
  readonly start: number;
}

/** The size of a GIF's canvas, which grows for a first frame that reaches beyond; throws an `ImageError` where there is no frame. */
export function readGifHeader(reader: ByteReader): ImageHeader {
  const { width, height } = readFirstFrame(reader);
  return { format: "gif", width, height, orientation: 1 };
}

function readFirstFrame(reader: ByteReader): FirstFrame {
  const u16 = (at: number) => reader.u16(at, true);
  let at = 13, transparent: number | undefined;
  const readPalette = (flags: number) => {
    if ((flags & 0x80) === 0) return undefined;
    const start = at;
    at += 3 << ((flags & 7) + 1);
    return reader.slice(start, at);
  };
  const shared = readPalette(reader.u8(10));
  for (; reader.u8(at) !== FRAME; at++) { // what is none of the three is passed over
    const kind = reader.u8(at);
    if (kind === TRAILER) throw corrupt("it holds no frame");
    if (kind !== EXTENSION) continue;
    if (reader.u8(at + 1) === GRAPHIC_CONTROL && reader.u8(at + 2) >= 4) {
      transparent = (reader.u8(at + 3) & 1) === 1 ? reader.u8(at + 6) : undefined;
    }
    for (at += 2; reader.u8(at) !== 0;) at += 1 + reader.u8(at);
  }
  const left = u16(at + 1), top = u16(at + 3), columns = u16(at + 5), rows = u16(at + 7);
  if (columns === 0 || rows === 0) throw corrupt(`its first frame has ${columns}x${rows} pixels`);
  const flags = reader.u8(at + 9);
  at += 10;
  const palette = readPalette(flags) ?? shared;
  const width = Math.max(u16(6), left + columns), height = Math.max(u16(8), top + rows);
  const interlaced = (flags & 0x40) !== 0;
  return { width, height, left, top, columns, rows, interlaced, palette, transparent, start: at };
}

/** Decodes the first frame of a GIF, in its place on a transparent canvas; throws an `ImageError` for one that is cut off or damaged. */
export function decodeGif(bytes: Uint8Array): DecodedImage {
  const reader = new ByteReader(bytes);
  const frame = readFirstFrame(reader);
  const { width, height, left, top, columns, rows, palette, transparent } = frame;
  const bits = reader.u8(frame.start);
  if (bits < 1 || bits > 8) throw corrupt(`its indices have ${bits} bits, expected 1 to 8`);
  const packed = joinBlocks(bytes, frame.start + 1);
  const indices = unpackLzw(packed, columns * rows, { bits, lowFirst: true, early: false });
  if (indices === undefined) throw corrupt("its pixel data is damaged");
  if (indices.length < columns * rows) {
    throw corrupt(`its pixel data is cut off: ${indices.length} pixels, expected ${columns * rows}`);
  }
  const colours = new Uint32Array(256);
  for (let i = 0; i < 256; i++) {
    // Beyond the palette is black; without one an index is a grey.
    const rgb = palette === undefined ? [i, i, i] : [0, 1, 2].map((c) => palette[3 * i + c] ?? 0);
    const rgba = Uint8Array.of(...rgb, i === transparent ? 0 : 255);
    colours[i] = new Uint32Array(rgba.buffer)[0]!;
  }
  const pixels = new Uint32Array(width * height);
  const order = rowOrder(rows, frame.interlaced);
  for (let row = 0, at = 0; row < rows; row++) {
    const start = (top + order(row)) * width + left;
    for (let x = 0; x < columns; x++) pixels[start + x] = colours[indices[at++]!]!;
  }
  return { width, height, data: new Uint8Array(pixels.buffer) };
}

/** The bytes of blocks, each behind its length, up to an empty one or the end. */
function joinBlocks(bytes: Uint8Array, at: number): Uint8Array {
  const joined = new Uint8Array(bytes.length - at);
  let size = 0;
  for (let length = bytes[at]; length; length = bytes[at]) { // bytes one by one: there may be millions of blocks of one byte
    const end = Math.min(at + 1 + length, bytes.length);
    for (at++; at < end; at++) joined[size++] = bytes[at]!;
  }
  return joined.subarray(0, size);
}

/** Which row of the picture comes n-th. Interlaced ones come in four passes: from 0 by 8, from 4 by 8, from 2 by 4, from 1 by 2. */
function rowOrder(rows: number, interlaced: boolean): (n: number) => number {
  if (!interlaced) return (n) => n;
  const first = Math.ceil(rows / 8), second = Math.ceil(rows / 4), third = Math.ceil(rows / 2);
  return (n) =>
    n < first
      ? 8 * n
      : n < second
      ? 8 * (n - first) + 4
      : n < third
      ? 4 * (n - second) + 2
      : 2 * (n - third) + 1;
}

function corrupt(problem: string): ImageError {
  return new ImageError("corrupt", `Cannot decode the GIF: ${problem}`);
}
