/**
 * BMP, as Windows and OS/2 write it.
 *
 * Own code because the packages that read it are not kept up, and unfold what a file claims: a run may paint beyond the picture, and a
 * header of 50 bytes asks for as much memory as it likes.
 * @module
 */
import { ByteReader, type DecodedImage, ImageError, type ImageHeader } from "./image.ts";

/** How the pixels are written. */
const RGB = 0, RLE8 = 1, RLE4 = 2, MASKS = 3, ALPHA_MASKS = 6;

/** The sizes of the headers that there are: OS/2's first, Windows' and its four successors', and OS/2's second. */
const HEADERS: readonly number[] = [12, 40, 52, 56, 64, 108, 124];

/** What the two headers say. */
interface Bitmap {
  readonly width: number;
  readonly height: number;
  readonly topDown: boolean;
  readonly bits: number;
  readonly packing: number;
  /** Where the pixels begin. */
  readonly start: number;
  /** RGB bytes. */
  readonly palette: Uint8Array;
  /** Which bits of a pixel are its red, green, blue and alpha; none where these have fixed places. */
  readonly masks: readonly number[] | undefined;
}

/** Whether a file begins as a BMP does; its two letters alone begin many texts. */
export function isBmp(reader: ByteReader): boolean {
  return reader.startsWith(0x42, 0x4d) && reader.length >= 18 &&
    HEADERS.includes(reader.u32(14, true));
}

/** The size of a BMP; throws an `ImageError` for a kind that is not read. */
export function readBmpHeader(reader: ByteReader): ImageHeader {
  const { width, height } = readBitmap(reader);
  return { format: "bmp", width, height, orientation: 1 };
}

function readBitmap(reader: ByteReader): Bitmap {
  const size = reader.u32(14, true), core = size === 12;
  const width = core ? reader.u16(18, true) : reader.u32(18, true) | 0;
  const rows = core ? reader.u16(20, true) : reader.u32(22, true) | 0;
  const bits = reader.u16(core ? 24 : 28, true), packing = core ? RGB : reader.u32(30, true);
  if (width < 0) throw corrupt(`it is ${width} pixels wide`);
  const fits: Readonly<Record<number, readonly number[]>> = {
    [RGB]: [1, 4, 8, 16, 24, 32],
    [RLE8]: [8],
    [RLE4]: [4],
    [MASKS]: [16, 32],
    [ALPHA_MASKS]: [16, 32],
  };
  // Of OS/2, 3 and 4 mean something else.
  if (!fits[packing]?.includes(bits) || size === 64 && packing > RLE4) {
    throw new ImageError(
      "unsupported",
      `Cannot decode the BMP: it has ${bits} bits per pixel in compression ${packing}, which is not supported`,
    );
  }
  let at = 14 + size;
  const masked = packing === MASKS || packing === ALPHA_MASKS;
  const places = masked ? [54, 58, 62, ...packing === ALPHA_MASKS || size >= 56 ? [66] : []] : [];
  const masks = masked ? places.map((place) => reader.u32(place, true)) : undefined;
  if (masked && size === 40) at += 4 * places.length;
  const entry = core ? 3 : 4, stated = core ? 0 : reader.u32(46, true), start = reader.u32(10, true);
  const colours = bits > 8 ? 0 : stated === 0 ? 2 ** bits : Math.min(stated, 2 ** bits);
  const palette = new Uint8Array(3 * 2 ** Math.min(bits, 8));
  // Pixels that begin within the palette cut it short.
  for (let i = 0; i < colours && at + entry * (i + 1) <= Math.max(start, at); i++) {
    const [blue, green, red] = reader.slice(at + entry * i, at + entry * i + 3);
    palette.set([red!, green!, blue!], 3 * i);
  }
  return { width, height: Math.abs(rows), topDown: rows < 0, bits, packing, start, palette, masks };
}

/** Decodes a BMP of at most as many pixels as its caller allows; throws an `ImageError` where pixels are missing. */
export function decodeBmp(bytes: Uint8Array): DecodedImage {
  const reader = new ByteReader(bytes), bitmap = readBitmap(reader);
  const { width, height, packing } = bitmap;
  const data = new Uint8Array(width * height * 4);
  if (packing === RLE8 || packing === RLE4) paintRuns(reader, bitmap, data);
  else paintRows(reader, bitmap, data);
  return { width, height, data };
}

function paintRows(reader: ByteReader, bitmap: Bitmap, data: Uint8Array): void {
  const { width, height, topDown, bits, start, palette } = bitmap;
  const masks = bitmap.masks ?? (bits === 16 ? [0x7c00, 0x3e0, 0x1f] : undefined);
  const fields = masks?.map(fieldOf), stride = Math.ceil(width * bits / 32) * 4;
  // The last row need not be filled up.
  reader.slice(start, start + stride * (height - 1) + Math.ceil(width * bits / 8));
  const { bytes } = reader;
  let seen = false;
  for (let y = 0; y < height; y++) {
    let from = start + (topDown ? y : height - 1 - y) * stride, to = y * width * 4;
    if (fields) {
      for (let x = 0; x < width; x++, from += bits / 8, to += 4) {
        const value = bits === 16 ? reader.u16(from, true) : reader.u32(from, true);
        for (let c = 0; c < 3; c++) data[to + c] = fields[c]!(value);
        const alpha = fields[3]?.(value) ?? 255;
        data[to + 3] = alpha;
        seen ||= alpha > 0;
      }
    } else if (bits >= 24) {
      seen = true; // the fourth byte means nothing without a mask
      for (let x = 0; x < width; x++, from += bits / 8, to += 4) {
        data[to] = bytes[from + 2]!;
        data[to + 1] = bytes[from + 1]!;
        data[to + 2] = bytes[from]!;
        data[to + 3] = 255;
      }
    } else {
      seen = true;
      const mask = (1 << bits) - 1;
      for (let x = 0; x < width; x++, to += 4) {
        const bit = x * bits;
        paint(data, to, palette, bytes[from + (bit >> 3)]! >> (8 - bits - (bit & 7)) & mask);
      }
    }
  }
  // Programs write alpha that they never set: a picture that nobody could see was meant to be seen.
  if (!seen) { for (let i = 3; i < data.length; i += 4) data[i] = 255; }
}

/** Brings the bits of a mask to 0 to 255; a mask without bits is alpha that is not there, or a colour that is 0. */
function fieldOf(mask: number, index: number): (value: number) => number {
  if (mask === 0) return () => index === 3 ? 255 : 0;
  const shift = Math.log2((mask & -mask) >>> 0), most = mask >>> shift;
  return (value) => Math.round(((value & mask) >>> shift) * 255 / most);
}

/** Runs of one colour (of two in turn, for four bits), colours one by one, and jumps over what stays see-through. */
function paintRuns(reader: ByteReader, bitmap: Bitmap, data: Uint8Array): void {
  const { width, height, topDown, packing, start, palette } = bitmap;
  let at = start, x = 0, row = 0;
  const put = (index: number) => {
    if (x < width && row < height) {
      paint(data, ((topDown ? row : height - 1 - row) * width + x) * 4, palette, index);
    }
    x++;
  };
  const wide = packing === RLE8;
  while (row < height) {
    const count = reader.u8(at), value = reader.u8(at + 1);
    at += 2;
    if (count > 0) {
      for (let i = 0; i < count; i++) put(wide ? value : i % 2 === 0 ? value >> 4 : value & 15);
    } else if (value === 0) [x, row] = [0, row + 1];
    else if (value === 1) return;
    else if (value === 2) {
      x += reader.u8(at);
      row += reader.u8(at + 1);
      at += 2;
    } else {
      const length = wide ? value : Math.ceil(value / 2);
      const colours = reader.slice(at, at + length);
      for (let i = 0; i < value; i++) {
        const byte = colours[wide ? i : i >> 1]!;
        put(wide ? byte : i % 2 === 0 ? byte >> 4 : byte & 15);
      }
      at += length + length % 2;
    }
  }
}

function paint(data: Uint8Array, to: number, palette: Uint8Array, index: number): void {
  data[to] = palette[3 * index]!;
  data[to + 1] = palette[3 * index + 1]!;
  data[to + 2] = palette[3 * index + 2]!;
  data[to + 3] = 255;
}

function corrupt(reason: string): ImageError {
  return new ImageError("corrupt", `Cannot decode the BMP: ${reason}`);
}
