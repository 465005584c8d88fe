/**
 * What a HEIC or AVIF says of itself. Both are HEIF (ISO/IEC 23008-12): boxes in boxes, of which `meta` lists the file's pictures, which of
 * them is the one to show, and each one's properties.
 * @module
 */
import { ByteReader, ImageError, type ImageHeader, type Orientation } from "./image.ts";

interface Box {
  readonly type: string;
  /** Where what it holds begins and ends. */
  readonly start: number;
  readonly end: number;
}

/** Which of the two a file is by its brands; undefined where it is neither, and `maybe` where only its pictures tell. */
export function heifKind(reader: ByteReader): "heic" | "avif" | "maybe" | undefined {
  if (!reader.startsWith(0, 0) || nameAt(reader, 4) !== "ftyp") return undefined;
  const end = Math.min(reader.u32(0), 512, reader.length), brands: string[] = [];
  for (let at = 8; at + 4 <= end; at += at === 8 ? 8 : 4) brands.push(nameAt(reader, at));
  const has = (pattern: RegExp) => brands.some((brand) => pattern.test(brand));
  if (has(/^avi[fs]$/)) return "avif";
  if (has(/^hei[cxms]$|^hev[cx]$/)) return "heic";
  return has(/^(mif1|msf1)$/) ? "maybe" : undefined;
}

/**
 * Size and orientation of the picture to show. A HEIC's decoder turns and crops itself, so its size is that of the upright picture and its
 * orientation 1. Throws an `ImageError` where there is no still picture or its size is not stated.
 */
export function readHeifHeader(reader: ByteReader, kind: "heic" | "avif" | "maybe"): ImageHeader {
  const boxes = boxesOf(reader, 0, reader.length);
  const meta = boxes.find(({ type }) => type === "meta");
  const format = kind === "maybe" ? meta && formatOf(reader, meta) : kind;
  const name = format === "avif" ? "AVIF" : "HEIC";
  const corrupt = (reason: string) => new ImageError("corrupt", `Cannot decode the ${name}: ${reason}`);
  if (meta === undefined) throw corrupt("it holds no still picture, or is cut off before it");
  if (format === undefined) {
    throw new ImageError("unsupported", "Cannot decode the image: it is a HEIF of neither HEVC nor AV1");
  }
  const inner = boxesOf(reader, meta.start + 4, meta.end);
  const pitm = inner.find(({ type }) => type === "pitm"), iprp = inner.find(({ type }) => type === "iprp");
  if (!pitm || !iprp) throw corrupt("it does not say which picture is to be shown");
  const primary = reader.u8(pitm.start) === 0 ? reader.u16(pitm.start + 4) : reader.u32(pitm.start + 4);
  const parts = boxesOf(reader, iprp.start, iprp.end);
  const ipco = parts.find(({ type }) => type === "ipco");
  const all = ipco ? boxesOf(reader, ipco.start, ipco.end) : [];
  const own = parts.filter(({ type }) => type === "ipma")
    .flatMap((box) => associated(reader, box, primary)).flatMap((i) => all[i - 1] ?? []);
  const size = own.find(({ type }) => type === "ispe");
  if (!size) throw corrupt("it does not state its width and height");
  const stored: [number, number] = [reader.u32(size.start + 4), reader.u32(size.start + 8)];
  if (format === "avif") {
    const [width, height] = stored;
    return { format, width, height, orientation: orientationOf(reader, own) };
  }
  const [width, height] = shownSize(reader, stored, own);
  return { format, width, height, orientation: 1 };
}

function boxesOf(reader: ByteReader, from: number, to: number): Box[] {
  const boxes: Box[] = [];
  for (let at = from; at + 8 <= to;) {
    const stated = reader.u32(at), type = nameAt(reader, at + 4), large = stated === 1;
    const size = stated === 0 ? to - at : large ? reader.u64(at + 8) : stated;
    if (size < (large ? 16 : 8)) break;
    boxes.push({ type, start: at + (large ? 16 : 8), end: Math.min(at + size, to) });
    at += size;
  }
  return boxes;
}

/** How the pictures of a file are coded that is of no brand that tells. */
function formatOf(reader: ByteReader, meta: Box): "heic" | "avif" | undefined {
  const iinf = boxesOf(reader, meta.start + 4, meta.end).find(({ type }) => type === "iinf");
  if (!iinf) return undefined;
  const entries = boxesOf(reader, iinf.start + (reader.u8(iinf.start) === 0 ? 6 : 8), iinf.end);
  const types = entries.map(({ start }) => nameAt(reader, start + (reader.u8(start) < 3 ? 8 : 10)));
  return types.includes("hvc1") ? "heic" : types.includes("av01") ? "avif" : undefined;
}

/** Numbers, from 1, of the properties of an item. */
function associated(reader: ByteReader, { start, end }: Box, item: number): number[] {
  const version = reader.u8(start), wide = (reader.u8(start + 3) & 1) === 1;
  const count = reader.u32(start + 4);
  let at = start + 8;
  for (let i = 0; i < count && at < end; i++) {
    const id = version < 1 ? reader.u16(at) : reader.u32(at);
    at += version < 1 ? 2 : 4;
    const properties = reader.u8(at++), step = wide ? 2 : 1;
    if (id === item) {
      return Array.from(
        { length: properties },
        (_, k) => wide ? reader.u16(at + 2 * k) & 0x7fff : reader.u8(at + k) & 0x7f,
      );
    }
    at += properties * step;
  }
  return [];
}

/** What turns and mirrors together make, as EXIF numbers it: by quarter turns to the left, then mirrored left to right or not. */
const ORIENTATIONS: readonly (readonly [plain: Orientation, mirrored: Orientation])[] = [
  [1, 2],
  [8, 7],
  [3, 4],
  [6, 5],
];

function orientationOf(reader: ByteReader, properties: readonly Box[]): Orientation {
  let turns = 0, mirrored = false;
  for (const { type, start } of properties) {
    // A turn after a mirror is the turn the other way before it; upside down is left to right, turned by two.
    if (type === "irot") turns += (mirrored ? -1 : 1) * (reader.u8(start) & 3);
    else if (type === "imir") {
      mirrored = !mirrored;
      if ((reader.u8(start) & 1) === 0) turns += 2;
    }
  }
  return ORIENTATIONS[(turns % 4 + 4) % 4]![mirrored ? 1 : 0];
}

/** The size after cropping (`clap`) and turning. */
function shownSize(
  reader: ByteReader,
  [width, height]: [number, number],
  properties: readonly Box[],
): [width: number, height: number] {
  for (const { type, start } of properties) {
    if (type === "clap") {
      const quotient = (at: number) => Math.round(reader.u32(start + at) / reader.u32(start + at + 4));
      [width, height] = [Math.min(width, quotient(0)), Math.min(height, quotient(8))];
    } else if (type === "irot" && (reader.u8(start) & 1) === 1) [width, height] = [height, width];
  }
  return [width, height];
}

function nameAt(reader: ByteReader, at: number): string {
  return String.fromCharCode(...reader.bytes.subarray(at, at + 4));
}
