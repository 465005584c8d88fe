/**
 * Small encoders for tests: every format and pixel layout that the decoders must take, byte by byte.
 * @module
 */
import { concat } from "@std/bytes/concat";
import { crc32, deflateSync } from "node:zlib";

export { encodeJpeg } from "../../data/shapes/shape_drawing.ts";

/** Joins byte arrays, numbers being single bytes and strings Latin-1. */
export function join(...parts: (Uint8Array | number | string)[]): Uint8Array<ArrayBuffer> {
  return concat(
    parts.map((part) =>
      typeof part === "number"
        ? Uint8Array.of(part)
        : typeof part === "string"
        ? Uint8Array.from(part, (c) => c.charCodeAt(0))
        : part
    ),
  );
}

function number(value: number, bytes: number, little: boolean): Uint8Array {
  const digits = Array.from({ length: bytes }, (_, i) => Math.floor(value / 256 ** i) % 256);
  return Uint8Array.from(little ? digits : digits.reverse());
}

const be16 = (value: number) => number(value, 2, false), be32 = (value: number) => number(value, 4, false);
const le16 = (value: number) => number(value, 2, true);

/** A PNG chunk with its length and checksum. */
export function pngChunk(name: string, data: Uint8Array): Uint8Array {
  const body = join(name, data);
  return join(be32(data.length), body, be32(crc32(body)));
}

/** A PNG of raw scan lines (without filter bytes) in any colour type and depth. */
export function encodePng(
  { width, height, depth = 8, colorType, rows, chunks = [], interlaced = false }: {
    width: number;
    height: number;
    depth?: number;
    colorType: number;
    /** Scan lines; for an interlaced image those of the seven passes one after another. */
    rows: readonly (readonly number[])[];
    chunks?: readonly Uint8Array[];
    interlaced?: boolean;
  },
): Uint8Array<ArrayBuffer> {
  const header = join(be32(width), be32(height), depth, colorType, 0, 0, interlaced ? 1 : 0);
  const data = deflateSync(join(...rows.map((row) => Uint8Array.from([0, ...row]))));
  return join(
    Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a),
    pngChunk("IHDR", header),
    ...chunks,
    pngChunk("IDAT", data),
    pngChunk("IEND", new Uint8Array()),
  );
}

/** A GIF frame of palette indices (0 to 3), in LZW codes that never grow beyond three bits. */
export function gifFrame(
  { x = 0, y = 0, width, height, indices }: {
    x?: number;
    y?: number;
    width: number;
    height: number;
    indices: readonly number[];
  },
): Uint8Array {
  const clear = 4, end = 5;
  const codes = [...indices.flatMap((index) => [clear, index]), end];
  const packed = new Uint8Array(Math.ceil(codes.length * 3 / 8));
  codes.forEach((code, i) => {
    for (let bit = 0; bit < 3; bit++) {
      if (code >> bit & 1) packed[(i * 3 + bit) >> 3]! |= 1 << ((i * 3 + bit) & 7);
    }
  });
  const blocks: Uint8Array[] = [];
  for (let at = 0; at < packed.length; at += 255) {
    const block = packed.subarray(at, at + 255);
    blocks.push(join(block.length, block));
  }
  return join(0x2c, le16(x), le16(y), le16(width), le16(height), 0, 2, ...blocks, 0);
}

/** A GIF with a palette of four RGB colours and these frames. */
export function encodeGif(
  { width, height, palette, frames, transparent }: {
    width: number;
    height: number;
    palette: readonly number[];
    frames: readonly Uint8Array[];
    transparent?: number;
  },
): Uint8Array<ArrayBuffer> {
  const control = transparent === undefined ? "" : join(0x21, 0xf9, 4, 1, 0, 0, transparent, 0);
  return join(
    "GIF89a",
    le16(width),
    le16(height),
    0x81,
    0,
    0,
    Uint8Array.from(palette),
    control,
    ...frames,
    0x3b,
  );
}

/** A TIFF directory; `tags` are `[tag, value]`, all of one 16- or 32-bit number. */
export function tiffDirectory(tags: readonly (readonly [number, number])[], little: boolean): Uint8Array {
  const entries = tags.map(([tag, value]) =>
    value < 65536
      ? join(
        number(tag, 2, little),
        number(3, 2, little),
        number(1, 4, little),
        number(value, 2, little),
        0,
        0,
      )
      : join(number(tag, 2, little), number(4, 2, little), number(1, 4, little), number(value, 4, little))
  );
  return join(
    little ? "II*\0" : "MM\0*",
    number(8, 4, little),
    number(tags.length, 2, little),
    ...entries,
    number(0, 4, little),
  );
}

/** Types of TIFF tags that are no SHORTs: LONG, RATIONAL, UNDEFINED, and BigTIFF's LONG8. */
const LONG = 4, RATIONAL = 5, UNDEFINED = 7, LONG8 = 16;

/** A TIFF of strips or, with `tile`, tiles, each packed already; `tags` adds to or replaces the usual ones. */
export function encodeTiff(
  { width, height, chunks, little = true, tile, big = false, tags = {} }: {
    width: number;
    height: number;
    chunks: readonly (Uint8Array | readonly number[])[];
    little?: boolean;
    tile?: readonly [width: number, height: number];
    /** Whether it is a BigTIFF. */
    big?: boolean;
    /** Values by tag number, none to leave the tag out; SHORTs but for offsets and lengths, JPEG's tables and what belongs to YCbCr. */
    tags?: Readonly<Record<number, readonly number[]>>;
  },
): Uint8Array<ArrayBuffer> {
  const all: Record<number, readonly number[]> = {
    256: [width],
    257: [height],
    258: [8],
    259: [1],
    262: [1],
    277: [1],
    [tile ? 324 : 273]: chunks.map(() => 0),
    [tile ? 325 : 279]: chunks.map((chunk) => chunk.length),
    ...(tile ? { 322: [tile[0]], 323: [tile[1]] } : { 278: [Math.ceil(height / chunks.length)] }),
    ...tags,
  };
  const offset = big ? LONG8 : LONG;
  const types: Record<number, number> = { 273: offset, 279: LONG, 324: offset, 325: LONG };
  Object.assign(types, { 347: UNDEFINED, 529: RATIONAL, 532: RATIONAL });
  const pack = (value: number, type: number) =>
    type === RATIONAL
      ? join(number(Math.round(value * 1000), 4, little), number(1000, 4, little))
      : number(value, type === LONG8 ? 8 : type === LONG ? 4 : type === UNDEFINED ? 1 : 2, little);
  const field = big ? 8 : 4; // bytes of a count, an offset, and of values that lie in the directory
  const numbers = Object.keys(all).map(Number).filter((tag) => all[tag]!.length > 0).sort((a, b) => a - b);
  const size = (tag: number) => pack(0, types[tag] ?? 3).length * all[tag]!.length;
  const valuesAt = (big ? 16 + 8 : 8 + 2) + (4 + 2 * field) * numbers.length + field;
  const chunksAt = valuesAt + numbers.reduce((sum, tag) => sum + (size(tag) > field ? size(tag) : 0), 0);
  let next = chunksAt;
  const offsets = chunks.map((chunk) => (next += chunk.length) - chunk.length);
  const entries: Uint8Array[] = [], values: Uint8Array[] = [];
  let at = valuesAt;
  for (const tag of numbers) {
    const type = types[tag] ?? 3;
    const placed = tag === 273 || tag === 324;
    const list = placed && all[tag]!.every((value) => value === 0) ? offsets : all[tag]!;
    const packed = join(...list.map((value) => pack(value, type)));
    const inline = packed.length <= field;
    entries.push(join(
      number(tag, 2, little),
      number(type, 2, little),
      number(list.length, field, little),
      inline ? join(packed, new Uint8Array(field - packed.length)) : number(at, field, little),
    ));
    if (inline) continue;
    values.push(packed);
    at += packed.length;
  }
  const start = big
    ? join(number(43, 2, little), number(8, 2, little), number(0, 2, little), number(16, 8, little))
    : join(number(42, 2, little), number(8, 4, little));
  return join(
    little ? "II" : "MM",
    start,
    number(numbers.length, big ? 8 : 2, little),
    ...entries,
    number(0, field, little),
    ...values,
    ...chunks.map((chunk) => Uint8Array.from(chunk)),
  );
}

/** TIFF's LZW, by the book. */
export function packLzw(bytes: Uint8Array): Uint8Array {
  let bits = "", width = 9;
  let table = new Map<string, number>();
  const emit = (code: number) => bits += code.toString(2).padStart(width, "0");
  const clear = () => {
    emit(256);
    table = new Map(Array.from({ length: 256 }, (_, i) => [String.fromCharCode(i), i]));
    width = 9;
  };
  clear();
  let next = 258, text = "";
  for (const byte of bytes) {
    const longer = text + String.fromCharCode(byte);
    if (table.has(longer)) {
      text = longer;
      continue;
    }
    emit(table.get(text)!);
    table.set(longer, next++);
    text = String.fromCharCode(byte);
    if (next === 4095) {
      clear();
      next = 258;
    } else if (next > (1 << width) - 1) width++;
  }
  if (text !== "") emit(table.get(text)!);
  if (next + 1 > (1 << width) - 1) width++;
  emit(257);
  return Uint8Array.from(bits.match(/.{1,8}/g)!, (byte) => parseInt(byte.padEnd(8, "0"), 2));
}

/** The JPEG with an EXIF segment after its start marker that asks for this orientation. */
export function withOrientation(
  jpeg: Uint8Array,
  orientation: number,
  little = true,
): Uint8Array<ArrayBuffer> {
  const exif = join("Exif\0\0", tiffDirectory([[274, orientation]], little));
  return join(0xff, 0xd8, 0xff, 0xe1, be16(exif.length + 2), exif, jpeg.subarray(2));
}

/** The same image with another size in its frame header: a header that lies. */
export function withJpegSize(jpeg: Uint8Array, width: number, height: number): Uint8Array<ArrayBuffer> {
  const lying = new Uint8Array(jpeg);
  for (let at = 2; at < lying.length; at += 2 + (lying[at + 2]! << 8 | lying[at + 3]!)) {
    if (lying[at + 1]! >= 0xc0 && lying[at + 1]! <= 0xc2) {
      lying.set(join(be16(height), be16(width)), at + 5);
      return lying;
    }
  }
  throw new Error("no frame header");
}

/**
 * A grey square of a progressive JPEG of one flat scan, and `refinements` more of 20 bytes or so that change nothing and take a decoder a
 * nanosecond per pixel.
 */
export function encodeScans(
  { side, refinements }: { side: number; refinements: number },
): Uint8Array<ArrayBuffer> {
  const blocks = Math.ceil(side / 8) ** 2, longestRun = 32767;
  const segment = (marker: number, body: Uint8Array) => join(0xff, marker, be16(body.length + 2), body);
  // The only code of each table is "0": a difference of 0, and a run of 16384 to 32767 blocks that end here, which 14 bits follow.
  const runs = Math.ceil(blocks / longestRun);
  const bits = "011111111111111".repeat(runs).padEnd(Math.ceil(runs * 15 / 8) * 8, "0");
  const packed = bits.match(/.{8}/g)!.map((byte) => parseInt(byte, 2));
  const refinement = join(
    segment(0xda, Uint8Array.of(1, 1, 0, 1, 63, 0x10)),
    Uint8Array.from(packed.flatMap((byte) => byte === 0xff ? [0xff, 0] : [byte])),
  );
  return join(
    Uint8Array.of(0xff, 0xd8),
    segment(0xdb, join(0, new Uint8Array(64).fill(1))),
    segment(0xc2, join(8, be16(side), be16(side), Uint8Array.of(1, 1, 0x11, 0))),
    segment(0xc4, join(0, 1, new Uint8Array(15), 0)),
    segment(0xc4, join(0x10, 1, new Uint8Array(15), 0xe0)),
    segment(0xda, Uint8Array.of(1, 1, 0, 0, 0, 0)),
    new Uint8Array(Math.ceil(blocks / 8)),
    ...Array<Uint8Array>(refinements).fill(refinement),
    Uint8Array.of(0xff, 0xd9),
  );
}

/** A baseline JPEG of 8x8 blocks, each of one flat value per component, 0 to 255; Adobe's marker where there are four. */
export function encodeFlatJpeg(
  { columns, rows, blocks, size }: {
    columns: number;
    rows: number;
    /** Per block, in row-major order, one value for each component. */
    blocks: readonly (readonly number[])[];
    /** Overrides the size in the header. */
    size?: readonly [width: number, height: number];
  },
): Uint8Array<ArrayBuffer> {
  const components = blocks[0]!.length;
  const [width, height] = size ?? [columns * 8, rows * 8];
  const segment = (marker: number, body: Uint8Array) => join(0xff, marker, be16(body.length + 2), body);
  // DC lengths 0 to 11 have the 4-bit codes 0 to 11; the only AC code is "0", end of block.
  const dcTable = join(0, 0, 0, 0, 12, new Uint8Array(12), Uint8Array.from({ length: 12 }, (_, i) => i));
  const acTable = join(0x10, 1, new Uint8Array(15), 0);
  let bits = "";
  const previous = new Array<number>(components).fill(0);
  for (const block of blocks) {
    block.forEach((value, c) => {
      const dc = (value - 128) * 8; // quantisation by 1
      const difference = dc - previous[c]!;
      previous[c] = dc;
      const length = difference === 0 ? 0 : Math.floor(Math.log2(Math.abs(difference))) + 1;
      bits += length.toString(2).padStart(4, "0");
      if (length > 0) {
        bits += (difference > 0 ? difference : difference + 2 ** length - 1).toString(2).padStart(
          length,
          "0",
        );
      }
      bits += "0";
    });
  }
  bits = bits.padEnd(Math.ceil(bits.length / 8) * 8, "1");
  const scan = bits.match(/.{8}/g)!.flatMap((byte) => byte === "11111111" ? [255, 0] : [parseInt(byte, 2)]);
  const ids = Array.from({ length: components }, (_, i) => i + 1);
  return join(
    0xff,
    0xd8,
    components === 4 ? segment(0xee, join("Adobe", be16(100), be16(0), be16(0), 0)) : "",
    segment(0xdb, join(0, new Uint8Array(64).fill(1))),
    segment(
      0xc0,
      join(8, be16(height), be16(width), components, ...ids.map((id) => Uint8Array.of(id, 0x11, 0))),
    ),
    segment(0xc4, dcTable),
    segment(0xc4, acTable),
    segment(0xda, join(components, ...ids.map((id) => Uint8Array.of(id, 0)), 0, 63, 0)),
    Uint8Array.from(scan),
    0xff,
    0xd9,
  );
}

/** A BMP of raw rows as they are stored, the lowest first unless `topDown`, in any depth and packing. */
export function encodeBmp(
  { width, height, bits, packing = 0, rows, palette = [], masks = [], topDown = false, core = false }: {
    width: number;
    height: number;
    bits: number;
    packing?: number | undefined;
    rows: readonly (readonly number[])[];
    /** Blue, green and red of each colour. */
    palette?: readonly (readonly number[])[];
    /** Bits of red, green, blue and alpha, in a header of 108 bytes. */
    masks?: readonly number[];
    topDown?: boolean;
    /** With OS/2's first header. */
    core?: boolean;
  },
): Uint8Array<ArrayBuffer> {
  const le32 = (value: number) => number(value >>> 0, 4, true);
  const pixels = join(...rows.map((row) => Uint8Array.from(row)));
  const size = core ? 12 : masks.length > 0 ? 108 : 40;
  const colours = join(...palette.map((colour) => Uint8Array.from(core ? colour : [...colour, 0])));
  const head = core ? join(le16(width), le16(height), le16(1), le16(bits)) : join(
    ...[
      le32(width),
      le32(topDown ? -height : height),
      le16(1),
      le16(bits),
      le32(packing),
      le32(pixels.length),
    ],
    ...[le32(0), le32(0), le32(palette.length), le32(0), ...masks.map(le32)],
    new Uint8Array(masks.length > 0 ? 108 - 40 - 4 * masks.length : 0),
  );
  const start = 14 + size + colours.length;
  return join("BM", le32(start + pixels.length), le32(0), le32(start), le32(size), head, colours, pixels);
}
