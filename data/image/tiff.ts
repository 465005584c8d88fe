/**
 * A TIFF decoder for photos: grey, RGB, YCbCr, palette and CMYK, of whole numbers of any depth or floating point, in strips or tiles,
 * together or in planes, uncompressed or packed by LZW, deflate, PackBits, Zstandard or JPEG.
 *
 * Own code because the ones on npm fail (imagescript's traps on every file), misread tiles, let a small file unfold without limit, or
 * weigh a third of all that a first training fetches: here nothing is ever larger than the picture.
 * @module
 */
import { ByteReader, type DecodedImage, ImageError } from "./image.ts";
import { COMPRESSION, unpack } from "./tiff_compression.ts";
import { readTiffHeader, TiffTags } from "./tiff_header.ts";
import {
  paintRow,
  PHOTOMETRIC,
  readRow,
  readUnits,
  type SampleLayout,
  type Samples,
} from "./tiff_samples.ts";

/** How many samples each kind of picture has at least. */
const SAMPLES: Readonly<Record<number, number>> = { 0: 1, 1: 1, 2: 3, 3: 1, 5: 4, 6: 3 };

/** A strip or tile of more bytes, all planes together, is not unfolded: 100 million pixels of 8 bytes are less. */
const MAX_TILE_BYTES = 1e9;

interface Layout extends SampleLayout {
  readonly width: number;
  readonly height: number;
  readonly compression: number;
  /** How many samples lie together: one where each has a plane of its own, else all. */
  readonly together: number;
  /** Whether nothing says what the sample behind the colours is. */
  readonly guessedAlpha: boolean;
  /** Size of a tile; a strip is a tile as wide as the picture. */
  readonly tileWidth: number;
  readonly tileHeight: number;
  readonly offsets: readonly number[];
  readonly lengths: readonly number[];
  /** Whether a byte's first bit is its lowest. */
  readonly reversed: boolean;
  /** JPEG: the tables that all strips or tiles share, and whether their colours are YCbCr. */
  readonly jpegTables: Uint8Array | undefined;
  readonly transformed: boolean;
}

/** Decodes the first image of a TIFF as stored, with straight alpha; rejects with an `ImageError` for what it cannot decode. */
export async function decodeTiff(bytes: Uint8Array): Promise<DecodedImage> {
  const reader = new ByteReader(bytes);
  const layout = readLayout(reader);
  const { width, height, tileWidth, tileHeight, samples, together, offsets, lengths } = layout;
  const data = new Uint8Array(width * height * 4);
  const across = Math.ceil(width / tileWidth), down = Math.ceil(height / tileHeight);
  const planes = samples / together, expected = across * down * planes;
  if (offsets.length < expected || lengths.length < expected) {
    throw corrupt(`it has ${Math.min(offsets.length, lengths.length)} strips or tiles, expected ${expected}`);
  }
  const [unitWidth, unitHeight] = layout.unit;
  const unitsBytes = Math.ceil(tileWidth / unitWidth) * (unitWidth * unitHeight + 2);
  const rowBytes = Math.ceil(tileWidth * together * layout.bits / 8);
  const sizeOf = (rows: number) =>
    layout.photometric === PHOTOMETRIC.yCbCr && together > 1
      ? Math.ceil(rows / unitHeight) * unitsBytes
      : rows * rowBytes;
  if (sizeOf(tileHeight) * planes > MAX_TILE_BYTES) {
    throw new ImageError(
      "too-large",
      `Cannot decode the TIFF: a strip or tile has ${sizeOf(tileHeight)} bytes`,
    );
  }
  for (let i = 0; i < across * down; i++) {
    const left = (i % across) * tileWidth, top = Math.floor(i / across) * tileHeight;
    const rows = Math.min(tileHeight, height - top), columns = Math.min(tileWidth, width - left);
    const parts: Uint8Array[] = [];
    for (let part = i; part < expected; part += across * down) {
      const packed = reader.slice(offsets[part]!, offsets[part]! + lengths[part]!);
      const sizes = { need: sizeOf(rows), most: sizeOf(tileHeight) };
      parts.push(await unpack(packed, { ...layout, ...sizes, columns: tileWidth, rows }));
    }
    for (let y = 0; y < rows; y++) {
      const read = (part: Uint8Array) => readRow(part.subarray(y * rowBytes, (y + 1) * rowBytes), layout);
      const values = layout.photometric === PHOTOMETRIC.yCbCr && together > 1
        ? readUnits(parts[0]!, y, layout)
        : planes === 1
        ? read(parts[0]!)
        : interleave(parts.map(read));
      paintRow(values, layout, data, ((top + y) * width + left) * 4, columns);
    }
  }
  if (layout.guessedAlpha) ignoreEmptyAlpha(data);
  return { width, height, data };
}

function interleave(rows: Samples[]): Float64Array {
  const values = new Float64Array(rows.length * rows[0]!.length);
  rows.forEach((row, c) => row.forEach((value, x) => values[x * rows.length + c] = value));
  return values;
}

/** A sample that nobody called alpha and that is 0 everywhere is no alpha: the photo would be white. */
function ignoreEmptyAlpha(data: Uint8Array): void {
  for (let i = 3; i < data.length; i += 4) if (data[i] !== 0) return;
  for (let i = 3; i < data.length; i += 4) data[i] = 255;
}

function readLayout(reader: ByteReader): Layout {
  const tags = new TiffTags(reader);
  const { width, height } = readTiffHeader(reader);
  const tag = (number: number, otherwise: number) => tags.first(number) ?? otherwise;
  const tiled = tags.first(322) !== undefined;
  const tileWidth = tiled ? tag(322, 0) : width;
  const tileHeight = tiled ? tag(323, 0) : Math.min(tag(278, height), height);
  // A tile may be larger than a small picture, but none needs to be much larger.
  if (tileWidth < 1 || tileHeight < 1 || tileWidth > width + 1024 || tileHeight > height + 1024) {
    throw corrupt(`its tiles or strips have ${tileWidth}x${tileHeight} pixels`);
  }
  // Tiles may also be listed as strips. Without lengths, each goes on until it is full.
  const list = (tile: number, strip: number) =>
    tags.all(tiled && tags.first(tile) !== undefined ? tile : strip);
  const offsets = list(324, 273), lengths = list(325, 279);
  return {
    ...readSampleLayout(tags),
    width,
    height,
    compression: tag(259, 1),
    tileWidth,
    tileHeight,
    offsets,
    lengths: lengths.length > 0 ? lengths : offsets.map((offset) => Math.max(0, reader.length - offset)),
    reversed: tag(266, 1) === 2,
    jpegTables: tags.bytes(347),
    transformed: tags.first(262) === PHOTOMETRIC.yCbCr,
  };
}

function readSampleLayout(tags: TiffTags): Omit<SampleLayout, "tileWidth"> & Pick<Layout, "guessedAlpha"> {
  const tag = (number: number, otherwise: number) => tags.first(number) ?? otherwise;
  const samples = tag(277, 1), extra = tags.all(338), compression = tag(259, 1);
  // A file that does not say which colours it has is read as libtiff reads it.
  const stated = tag(262, samples - extra.length >= 3 ? PHOTOMETRIC.rgb : PHOTOMETRIC.blackIsZero);
  const least = SAMPLES[stated];
  if (least === undefined) {
    const name = COLOURS[stated] ? ` (${COLOURS[stated]})` : "";
    throw unsupported(`its photometric interpretation ${stated}${name}`);
  }
  if (samples < least || samples > 8) {
    throw corrupt(`it has ${samples} samples per pixel, expected ${least} to 8`);
  }
  const depths = tags.all(258), bits = depths[0] ?? 1;
  const formats = tags.all(339), float = formats[0] === 3;
  const known = float ? bits === 32 || bits === 64 : bits >= 1 && bits <= 16 || bits === 24 || bits === 32;
  if (!known || depths.some((depth) => depth !== bits)) {
    throw unsupported(`its ${depths.join(", ")} bits per sample${float ? " of floating point" : ""}`);
  }
  const same = float ? [3] : [1, 4]; // 4 is "undefined", which is read as whole numbers
  if (formats.some((format) => !same.includes(format))) throw unsupported(`its sample format ${formats}`);
  const separate = samples > 1 && tag(284, 1) === 2, jpeg = compression === COMPRESSION.jpeg;
  if (jpeg && (bits !== 8 || !separate && samples !== 1 && samples !== 3)) {
    throw unsupported(`its JPEG of ${samples} samples per pixel and ${bits} bits`);
  }
  const shared = tags.all(530), unit = [shared[0] ?? 2, shared[1] ?? 2] as const;
  if (stated === PHOTOMETRIC.yCbCr) {
    const plain = !jpeg && unit.every((side) => side === 1);
    if (samples !== 3 || bits !== 8 || float || separate && !plain) throw unsupported("its kind of YCbCr");
    if (!unit.every((side) => [1, 2, 4].includes(side))) {
      throw corrupt(`its colours are shared by ${unit.join("x")} pixels`);
    }
  }
  // The JPEG's decoder has made RGB of it.
  const photometric = jpeg && stated === PHOTOMETRIC.yCbCr ? PHOTOMETRIC.rgb : stated;
  // Palettes have 16 bits, but some writers fill in 8.
  const map = tags.all(320), shift = map.some((value) => value > 255) ? 8 : 0;
  if (photometric === PHOTOMETRIC.palette && (float || bits > 16 || map.length < 3 << bits)) {
    throw corrupt("its palette is incomplete");
  }
  // With other compressions the tag means nothing.
  const predictor = [5, 8, 32946, 50000].includes(compression) ? tag(317, 1) : 1;
  const adds = predictor === 2 && !float && [8, 16, 32].includes(bits) && photometric !== PHOTOMETRIC.yCbCr;
  if (predictor !== 1 && !adds && !(predictor === 3 && float)) {
    throw unsupported(`its predictor ${predictor} with ${bits} bits`);
  }
  const kind = extra.findIndex((kind) => kind === 1 || kind === 2);
  const guessedAlpha = extra.length === 0 && samples === least + 1 && least !== 4;
  const alpha = guessedAlpha ? least : kind < 0 ? -1 : samples - extra.length + kind;
  return {
    samples,
    together: separate ? 1 : samples,
    bits,
    float,
    little: tags.little,
    predictor,
    photometric,
    alpha: alpha < least ? -1 : alpha,
    premultiplied: extra[kind] === 1,
    guessedAlpha,
    palette: map.map((value) => value >> shift),
    unit,
    luma: orElse(tags.quotients(529), [0.299, 0.587, 0.114]),
    reference: orElse(tags.quotients(532), [0, 255, 128, 255, 128, 255]),
  };
}

/** What people call the colours that are not supported. */
const COLOURS: Readonly<Record<number, string>> = {
  4: "a mask",
  8: "CIE L*a*b*",
  9: "ICC L*a*b*",
  10: "ITU L*a*b*",
  32803: "a camera's raw data",
  32844: "LogL",
  32845: "LogLuv",
};

function orElse(values: readonly number[], otherwise: readonly number[]): readonly number[] {
  return values.length === otherwise.length ? values : otherwise;
}

function corrupt(problem: string): ImageError {
  return new ImageError("corrupt", `Cannot decode the TIFF: ${problem}`);
}

function unsupported(what: string): ImageError {
  return new ImageError("unsupported", `Cannot decode the TIFF: ${what} is not supported`);
}
