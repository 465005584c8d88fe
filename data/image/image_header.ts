/**
 * Reads what an encoded image says about itself, format, size and orientation, without decoding it, so that a decoder is never
 * started on something it could choke on.
 * @module
 */
import { ByteReader } from "./byte_reader.ts";
import { ImageError } from "./image.ts";
import { readJpegHeader } from "./jpeg_header.ts";
import { readExifOrientation, readTiffHeader } from "./tiff_header.ts";

/** The file formats that can be decoded. */
export type ImageFormat = "jpeg" | "png" | "gif" | "tiff";

/** EXIF orientation: 1 is upright; 5 to 8 swap width and height (see `orient.ts`). */
export type Orientation = 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8;

/** An image's self-description. */
export interface ImageHeader {
  readonly format: ImageFormat;
  /** Columns as stored, before `orientation` is applied. */
  readonly width: number;
  /** Rows as stored. */
  readonly height: number;
  readonly orientation: Orientation;
  /** Colour components of a JPEG: 1 grey, 3 colour, 4 CMYK; samples per pixel of a TIFF; absent otherwise. */
  readonly components?: number;
  /** GIF only: where the first frame's data ends, so that the frames after it need not be looked at. */
  readonly firstFrameEnd?: number;
}

/**
 * The header of a JPEG, PNG, GIF or TIFF. Needs the bytes up to the pixel data (all of a TIFF, the first frame of a GIF). Throws an
 * `ImageError`: `unsupported` for another format, `corrupt` for a header that is cut off or contradicts itself.
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

function readPngHeader(reader: ByteReader): ImageHeader {
  const chunkName = (at: number) => String.fromCharCode(...reader.slice(at + 4, at + 8));
  if (chunkName(8) !== "IHDR") {
    throw new ImageError("corrupt", "Cannot decode the PNG: it does not begin with IHDR");
  }
  let orientation: Orientation = 1;
  for (let at = 8; chunkName(at) !== "IDAT"; at += 12 + reader.u32(at)) {
    if (chunkName(at) === "eXIf") {
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
