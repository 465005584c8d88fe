/**
 * Photos as a page has them, turned into pixels as the decoders of `predict` and `serve` give them.
 * @module
 */
import { type DecodedImage, ImageError } from "../data/image/image.ts";
import { flattenOnWhite, shrink } from "../data/image/pixels.ts";

/** An object of a class of pages, where the types of pages are there: Deno's own have none of them. */
export type PageClass<Name extends string> = typeof globalThis extends Record<Name, { prototype: infer T }>
  ? T
  : never;

/** What a page can show: a file, a picture, a frame of a video or a camera, or what was drawn. */
export type PhotoInput =
  | Blob
  | ImageBitmap
  | ImageData
  | OffscreenCanvas
  | PageClass<"HTMLCanvasElement">
  | PageClass<"HTMLImageElement">
  | PageClass<"HTMLVideoElement">
  | PageClass<"VideoFrame">;

/** What is used of a canvas's context, of which Deno's types know nothing. */
interface Context2d {
  drawImage(image: ImageBitmap, x: number, y: number): void;
  getImageData(x: number, y: number, width: number, height: number): ImageData;
}

/** More pixels than any canvas is sure to hold. */
const MAX_PIXELS = 100_000_000;

/** How a photo is read. */
export interface ReadPhotoOptions {
  /** Shrink, by averaging areas, to this many pixels on the shorter side; never enlarges. `decodeSide` says what a network needs. */
  readonly shorterSide?: number | undefined;
}

/**
 * A photo's pixels: upright, transparency on white, every alpha 255. The numbers are those of the file, whatever colour profile it names,
 * as the decoders on Deno give them. Throws an `ImageError` for a file that the browser cannot decode, and for one that is too large.
 */
export async function readPhoto(
  input: PhotoInput,
  { shorterSide }: ReadPhotoOptions = {},
): Promise<DecodedImage> {
  const pixels = input instanceof ImageData ? input : await drawn(input);
  const image = {
    width: pixels.width,
    height: pixels.height,
    data: new Uint8Array(pixels.data.buffer as ArrayBuffer, pixels.data.byteOffset, pixels.data.byteLength),
  };
  flattenOnWhite(image.data);
  return shorterSide === undefined ? image : shrink(image, shorterSide);
}

async function drawn(input: Exclude<PhotoInput, ImageData>): Promise<ImageData> {
  const bitmap = await bitmapOf(input);
  try {
    const { width, height } = bitmap;
    if (width * height > MAX_PIXELS) {
      throw new ImageError(
        "too-large",
        `Cannot read the photo: it has ${width}x${height} pixels, expected at most 100 million`,
      );
    }
    const canvas = new OffscreenCanvas(width, height);
    const context = canvas.getContext("2d", { willReadFrequently: true }) as unknown as Context2d;
    context.drawImage(bitmap, 0, 0);
    return context.getImageData(0, 0, width, height);
  } finally {
    bitmap.close();
  }
}

async function bitmapOf(input: Exclude<PhotoInput, ImageData>): Promise<ImageBitmap> {
  try {
    // Deno's types do not take a canvas.
    return await createImageBitmap(input as ImageBitmapSource, {
      imageOrientation: "from-image",
      colorSpaceConversion: "none",
      premultiplyAlpha: "none",
    });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ImageError("unsupported", `Cannot decode the photo: this browser says "${reason}"`);
  }
}
