/**
 * Turns an encoded image into pixels on the calling thread. Use a `DecoderPool` for untrusted files: only a process can be stopped.
 * @module
 */
import { decodeBmp } from "./bmp.ts";
import { decodeCmykJpeg, decodeJpeg, decodePng, decodeStillWebp } from "./codecs.ts";
import { decodeAvif, decodeHeic } from "./fetched_codecs.ts";
import { decodeGif } from "./gif.ts";
import { type DecodedImage, ImageError, type ImageFormat, type ImageHeader } from "./image.ts";
import { readImageHeader } from "./image_header.ts";
import { flattenOnWhite, orient, shrink } from "./pixels.ts";
import { decodeTiff } from "./tiff.ts";
import { decodeWebp } from "./webp.ts";

/** Larger images are refused without being decoded. */
export const MAX_PIXELS = 100_000_000;

/** How an image is decoded. */
export interface DecodeOptions {
  /** Shrink, by averaging areas, to this many pixels on the shorter side; never enlarges. Default: the original pixels. */
  readonly shorterSide?: number | undefined;
}

/**
 * JPEGs of more scans are refused. Encoders write about 10; the format sets no limit, and a scan of an "EOB run" or two goes over millions
 * of pixels in 20 bytes. libjpeg leaves the limit to its caller (libjpeg-turbo, "Two issues with the JPEG standard").
 */
const MAX_SCANS = 100;

/** Pixels times scans at most: 25 scans of the largest image. Going over so many takes 2.5 seconds. */
const MAX_SCANNED = 25 * MAX_PIXELS;

/** How many scans take as long as the rest of decoding: 0.9 ns per pixel against 37 (a scan that refines, measured). */
const SCANS_PER_DECODE = 40;

/** The header of an image that may be decoded; throws an `ImageError`, with code `too-large` beyond `MAX_PIXELS` or too many scans. */
export function checkImage(bytes: Uint8Array): ImageHeader {
  const header = readImageHeader(bytes);
  const { width, height, scans = 1 } = header;
  if (width * height > MAX_PIXELS) {
    throw new ImageError(
      "too-large",
      `Cannot decode the image: it has ${width}x${height} pixels, expected at most 100 million`,
    );
  }
  const most = Math.min(MAX_SCANS, Math.floor(MAX_SCANNED / (width * height)));
  if (scans > most) {
    throw new ImageError(
      "too-large",
      `Cannot decode the JPEG: it goes over its ${width}x${height} pixels in ${scans} scans, expected at most ${most}`,
    );
  }
  return header;
}

/** What a pixel of these costs, in pixels of a JPEG: 2.5 and 7.5 of one of 12 million (0.8, 2.0 and 6.0 s on two cores with much other work). */
const COST: Partial<Record<ImageFormat, number>> = { heic: 3, avif: 8 };

/** What decoding costs, in pixels of an ordinary image. */
export function decodingWork({ format, width, height, scans = 1 }: ImageHeader): number {
  return width * height * (COST[format] ?? 1) * (1 + scans / SCANS_PER_DECODE);
}

/**
 * Decodes a photo of any format in `formats.ts`, of several images in one file the first or the main one: upright, transparency on white, every alpha 255. Throws an
 * `ImageError` for what cannot or must not be decoded.
 */
export async function decodeImage(bytes: Uint8Array, options: DecodeOptions = {}): Promise<DecodedImage> {
  const header = checkImage(bytes);
  const stored = await decodeStored(bytes, header);
  if (stored.width !== header.width || stored.height !== header.height) {
    throw new ImageError(
      "corrupt",
      `Cannot decode the image: it has ${stored.width}x${stored.height} pixels, its header says ${header.width}x${header.height}`,
    );
  }
  if (header.format !== "jpeg") flattenOnWhite(stored.data);
  const sized = options.shorterSide === undefined ? stored : shrink(stored, options.shorterSide);
  return orient(sized, header.orientation);
}

function decodeStored(bytes: Uint8Array, header: ImageHeader): Promise<DecodedImage> | DecodedImage {
  switch (header.format) {
    case "jpeg":
      return header.components === 4 ? decodeCmykJpeg(bytes) : decodeJpeg(bytes);
    case "png":
      return decodePng(bytes);
    case "tiff":
      return decodeTiff(bytes);
    case "gif":
      return decodeGif(bytes);
    case "webp":
      return decodeWebp(bytes, decodeStillWebp);
    case "bmp":
      return decodeBmp(bytes);
    case "avif":
      return decodeAvif(bytes);
    case "heic":
      return decodeHeic(bytes);
  }
}
