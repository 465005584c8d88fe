/**
 * How a photo becomes the network's input: stored with every checkpoint and repeated at inference.
 * @module
 */
import { z } from "zod";

/** Width and height in pixels. */
export interface Size {
  /** Columns. */
  readonly width: number;
  /** Rows. */
  readonly height: number;
}

/** How a photo becomes the network's input. */
export interface Preprocess {
  /** Input height in pixels. */
  height: number;
  /** Input width in pixels. */
  width: number;
  /** Order of the input's channels. */
  channels: "RGB" | "BGR";
  /** `stretch` ignores the aspect ratio; `crop` takes the centre 87.5 % (torchvision's 224 of 256). */
  resize: "stretch" | "crop";
  /** Whether shrinking averages over the source pixels (true) or samples four of them (plain bilinear). */
  antialias: boolean;
  /** Per channel (in `channels` order), subtracted after dividing bytes by 255. */
  mean: [number, number, number];
  /** Per channel, divided by after subtracting the mean. */
  std: [number, number, number];
}

/** The part of each side that evaluation keeps with `resize: "crop"`: 224 of 256, as torchvision does. */
export const CENTRE_CROP = 0.875;

const positive = z.number().positive();

/** Reads a `Preprocess`: positive sizes and deviations. */
export const preprocessSchema: z.ZodType<Preprocess> = z.object({
  height: z.int().positive(),
  width: z.int().positive(),
  channels: z.enum(["RGB", "BGR"]),
  resize: z.enum(["stretch", "crop"]),
  antialias: z.boolean(),
  mean: z.tuple([z.number(), z.number(), z.number()]),
  std: z.tuple([positive, positive, positive]),
});

/**
 * The shorter side that a photo may be shrunk to while decoding, in pixels: a little more than the input needs, as exact area
 * averages. Without antialiasing the sampled pixels matter, so only huge photos are shrunk.
 */
export function decodeSide({ height, width, antialias }: Preprocess): number {
  return antialias ? Math.ceil(Math.max(height, width) / CENTRE_CROP) : 2048;
}

/** The largest magnitude that a photo's values can have as the network's input: that of black or white in one of its channels. */
export function largestInput({ mean, std }: Preprocess): number {
  return Math.max(...mean.map((m, k) => Math.max(Math.abs(m), Math.abs(1 - m)) / std[k]!));
}

/** How the architectures here are trained unless told otherwise: RGB, stretched, values about -1 to 1; `size` pixels a side. */
export function defaultPreprocess(size: number): Preprocess {
  return {
    height: size,
    width: size,
    channels: "RGB",
    resize: "stretch",
    antialias: true,
    mean: [0.5, 0.5, 0.5],
    std: [0.5, 0.5, 0.5],
  };
}
