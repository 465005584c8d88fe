/**
 * The header of a JPEG, found by walking its markers exactly as libjpeg does, so that what is checked is what will be decoded.
 * @module
 */
import type { ByteReader } from "./byte_reader.ts";
import { ImageError } from "./image.ts";
import type { ImageHeader, Orientation } from "./image_header.ts";
import { readExifOrientation } from "./tiff_header.ts";

const EXIF = [0x45, 0x78, 0x69, 0x66, 0, 0]; // "Exif", two zeros

/** Reads up to the frame header (SOF); throws an `ImageError` where it is missing or of a kind nobody decodes. */
export function readJpegHeader(reader: ByteReader): ImageHeader {
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
      return readFrame(reader, at, marker, orientation);
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

function readFrame(reader: ByteReader, at: number, marker: number, orientation: Orientation): ImageHeader {
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
