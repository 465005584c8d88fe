/**
 * A TIFF decoder for photos: grey, RGB, palette and CMYK of 1 to 16 bits, in strips or tiles, uncompressed, LZW, deflate or PackBits.
 *
 * Own code because the ones on npm fail (imagescript's traps on every file), misread tiles, or let a small file unfold without limit:
 * here nothing is ever larger than the picture.
 * @module
 */
import { ByteReader, type DecodedImage, ImageError } from "./image.ts";
import { unpack } from "./tiff_compression.ts";
import { readTiffHeader, TiffTags } from "./tiff_header.ts";

const Photometric = { whiteIsZero: 0, blackIsZero: 1, rgb: 2, palette: 3, cmyk: 5 } as const;

/** How many samples each kind of picture has at least. */
const SAMPLES: Readonly<Record<number, number>> = { 0: 1, 1: 1, 2: 3, 3: 1, 5: 4 };

interface Layout {
  readonly width: number;
  readonly height: number;
  readonly samples: number;
  readonly bits: number;
  readonly photometric: number;
  readonly compression: number;
  readonly predictor: number;
  /** Index of the alpha sample; -1 without. */
  readonly alpha: number;
  readonly palette: readonly number[];
  readonly little: boolean;
  /** Size of a tile; a strip is a tile as wide as the picture. */
  readonly tileWidth: number;
  readonly tileHeight: number;
  readonly offsets: readonly number[];
  readonly lengths: readonly number[];
}

/** Decodes the first image of a TIFF as stored, with straight alpha; throws an `ImageError` for what it cannot decode. */
export function decodeTiff(bytes: Uint8Array): DecodedImage {
  const reader = new ByteReader(bytes);
  const layout = readLayout(reader);
  const { width, height, tileWidth, tileHeight, offsets, lengths } = layout;
  const data = new Uint8Array(width * height * 4);
  const across = Math.ceil(width / tileWidth), down = Math.ceil(height / tileHeight);
  if (offsets.length < across * down || lengths.length < across * down) {
    throw corrupt(
      `it has ${Math.min(offsets.length, lengths.length)} strips or tiles, expected ${across * down}`,
    );
  }
  const rowBytes = Math.ceil(tileWidth * layout.samples * layout.bits / 8);
  for (let i = 0; i < across * down; i++) {
    const left = (i % across) * tileWidth, top = Math.floor(i / across) * tileHeight;
    const rows = Math.min(tileHeight, height - top), columns = Math.min(tileWidth, width - left);
    const packed = reader.slice(offsets[i]!, offsets[i]! + lengths[i]!);
    const tile = unpack(packed, layout.compression, rows * rowBytes, tileHeight * rowBytes);
    for (let y = 0; y < rows; y++) {
      const samples = readRow(tile.subarray(y * rowBytes, (y + 1) * rowBytes), layout);
      paintRow(samples, layout, data, ((top + y) * width + left) * 4, columns);
    }
  }
  return { width, height, data };
}

function readLayout(reader: ByteReader): Layout {
  const tags = new TiffTags(reader);
  const { width, height } = readTiffHeader(reader);
  const tag = (number: number, otherwise: number) => tags.first(number) ?? otherwise;
  const tiled = tags.first(322) !== undefined;
  const samples = tag(277, 1), photometric = tag(262, Photometric.blackIsZero);
  const depths = tags.all(258), bits = depths[0] ?? 1;
  const least = SAMPLES[photometric];
  if (least === undefined) throw unsupported(`its photometric interpretation ${photometric}`);
  if (samples < least || samples > 8) {
    throw corrupt(`it has ${samples} samples per pixel, expected ${least} to 8`);
  }
  const whole = bits === 8 || bits === 16 || samples === 1 && (bits === 1 || bits === 2 || bits === 4);
  if (!whole || depths.some((depth) => depth !== bits)) {
    throw unsupported(`its ${depths.join(", ")} bits per sample`);
  }
  if (tags.all(339).some((format) => format !== 1)) throw unsupported("its sample format");
  if (samples > 1 && tag(284, 1) !== 1) throw unsupported("its separate planes");
  if (tag(266, 1) !== 1) throw unsupported("its reversed bits");
  const palette = tags.all(320);
  if (photometric === Photometric.palette && palette.length < 3 << bits) {
    throw corrupt("its palette is incomplete");
  }
  const tileWidth = tiled ? tag(322, 0) : width;
  const tileHeight = tiled ? tag(323, 0) : Math.min(tag(278, height), height);
  // A tile may be larger than a small picture, but none needs to be much larger.
  if (tileWidth < 1 || tileHeight < 1 || tileWidth > width + 1024 || tileHeight > height + 1024) {
    throw corrupt(`its tiles or strips have ${tileWidth}x${tileHeight} pixels`);
  }
  const extra = tags.all(338);
  const alpha = extra.findIndex((kind) => kind === 1 || kind === 2);
  return {
    width,
    height,
    samples,
    bits,
    photometric,
    compression: tag(259, 1),
    predictor: tag(317, 1),
    alpha: alpha < 0 ? -1 : samples - extra.length + alpha,
    palette,
    little: tags.little,
    tileWidth,
    tileHeight,
    offsets: tags.all(tiled ? 324 : 273),
    lengths: tags.all(tiled ? 325 : 279),
  };
}

/** A row's samples, differences added up: 8-bit as they are, deeper ones as 16 bits, shallower ones spread out. */
function readRow(
  row: Uint8Array,
  { samples, bits, predictor, little, tileWidth }: Layout,
): Uint8Array | Uint16Array {
  if (predictor !== 1 && (predictor !== 2 || bits < 8)) throw unsupported(`its predictor ${predictor}`);
  const count = tileWidth * samples;
  const values = bits === 16 ? new Uint16Array(count) : new Uint8Array(count);
  if (bits === 8) values.set(row);
  else if (bits === 16) {
    const view = new DataView(row.buffer, row.byteOffset, row.byteLength);
    for (let i = 0; i < count; i++) values[i] = view.getUint16(2 * i, little);
  } else {
    const perByte = 8 / bits, mask = (1 << bits) - 1;
    for (let i = 0; i < count; i++) {
      values[i] = row[Math.floor(i / perByte)]! >> (8 - bits - (i % perByte) * bits) & mask;
    }
  }
  if (predictor === 2) { for (let i = samples; i < count; i++) values[i]! += values[i - samples]!; // wraps as it must
   }
  return values;
}

function paintRow(
  values: Uint8Array | Uint16Array,
  { samples, bits, photometric, alpha, palette }: Layout,
  data: Uint8Array,
  start: number,
  columns: number,
): void {
  const scale = 255 / ((1 << bits) - 1);
  const size = 1 << bits;
  for (let x = 0, i = 0, at = start; x < columns; x++, i += samples, at += 4) {
    const first = values[i]!;
    switch (photometric) {
      case Photometric.palette:
        for (let c = 0; c < 3; c++) data[at + c] = palette[c * size + first]! >> 8;
        break;
      case Photometric.rgb:
        for (let c = 0; c < 3; c++) data[at + c] = Math.round(values[i + c]! * scale);
        break;
      case Photometric.cmyk: {
        const light = 1 - values[i + 3]! * scale / 255;
        for (let c = 0; c < 3; c++) data[at + c] = Math.round((255 - values[i + c]! * scale) * light);
        break;
      }
      default: {
        const grey = Math.round(first * scale);
        data[at] = data[at + 1] = data[at + 2] = photometric === Photometric.whiteIsZero ? 255 - grey : grey;
      }
    }
    data[at + 3] = alpha < 0 ? 255 : Math.round(values[i + alpha]! * scale);
  }
}

function corrupt(problem: string): ImageError {
  return new ImageError("corrupt", `Cannot decode the TIFF: ${problem}`);
}

function unsupported(what: string): ImageError {
  return new ImageError("unsupported", `Cannot decode the TIFF: ${what} is not supported`);
}
