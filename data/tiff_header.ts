/**
 * The first directory of a TIFF, which is also how EXIF stores its tags.
 * @module
 */
import { ByteReader } from "./byte_reader.ts";
import { ImageError } from "./image.ts";
import type { ImageHeader, Orientation } from "./image_header.ts";

const WIDTH = 256, HEIGHT = 257, ORIENTATION = 274, SAMPLES_PER_PIXEL = 277;
const SHORT = 3, LONG = 4;

/** Size and orientation of a TIFF's first image, in either byte order; throws an `ImageError` where they are missing. */
export function readTiffHeader(reader: ByteReader): ImageHeader {
  const tags = readTags(reader);
  const width = tags.get(WIDTH), height = tags.get(HEIGHT);
  if (width === undefined || height === undefined) {
    throw new ImageError("corrupt", "Cannot decode the TIFF: it does not state its width and height");
  }
  const orientation = asOrientation(tags.get(ORIENTATION));
  return { format: "tiff", width, height, orientation, components: tags.get(SAMPLES_PER_PIXEL) ?? 1 };
}

/** The orientation in an EXIF block (a TIFF without pixels); 1 where there is none or the block makes no sense. */
export function readExifOrientation(exif: Uint8Array): Orientation {
  try {
    return asOrientation(readTags(new ByteReader(exif)).get(ORIENTATION));
  } catch (error) {
    if (error instanceof ImageError) return 1; // a photo is not lost for its metadata
    throw error;
  }
}

/** Every tag of the first directory whose value is one 16- or 32-bit number. */
function readTags(reader: ByteReader): Map<number, number> {
  const little = reader.u8(0) === 0x49;
  const directory = reader.u32(4, little);
  const tags = new Map<number, number>();
  const count = reader.u16(directory, little);
  for (let i = 0; i < count; i++) {
    const at = directory + 2 + 12 * i;
    const type = reader.u16(at + 2, little);
    if (reader.u32(at + 4, little) !== 1 || type !== SHORT && type !== LONG) continue;
    tags.set(
      reader.u16(at, little),
      type === SHORT ? reader.u16(at + 8, little) : reader.u32(at + 8, little),
    );
  }
  return tags;
}

function asOrientation(value: number | undefined): Orientation {
  return value !== undefined && value >= 1 && value <= 8 ? value as Orientation : 1;
}
