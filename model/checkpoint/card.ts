/**
 * What a checkpoint says about itself: enough to serve it from the file alone.
 * @module
 */
import { z } from "zod";

/** How a photo becomes the network's input. Stored with every checkpoint and repeated at inference. */
export const preprocessSchema = z.object({
  /** Input height in pixels. */
  height: z.int().positive(),
  /** Input width in pixels. */
  width: z.int().positive(),
  /** Order of the input's channels. */
  channels: z.enum(["RGB", "BGR"]),
  /** `stretch` ignores the aspect ratio; `crop` takes the centre 87.5 % (torchvision's 224 of 256). */
  resize: z.enum(["stretch", "crop"]),
  /** Whether shrinking averages over the source pixels (true) or samples four of them (plain bilinear). */
  antialias: z.boolean(),
  /** Per channel (in `channels` order), subtracted after dividing bytes by 255. */
  mean: z.tuple([z.number(), z.number(), z.number()]),
  /** Per channel, divided by after subtracting the mean. */
  std: z.tuple([z.number().positive(), z.number().positive(), z.number().positive()]),
});

/** How a photo becomes the network's input. */
export type Preprocess = z.infer<typeof preprocessSchema>;

/** Rows are true classes, columns predicted ones; entries count images. */
export const confusionSchema = z.array(z.array(z.int().nonnegative()));

/** The model card: what the file `__metadata__` holds, parsed. */
export const modelCardSchema = z.object({
  /** Architecture name, as `--model` takes it. */
  model: z.string().min(1),
  /** Class names in the order of the logits. */
  classes: z.array(z.string().min(1)).min(1),
  preprocess: preprocessSchema,
  /** Number of trained scalars. */
  parameters: z.int().nonnegative(),
  /** Where the weights come from; absent when unknown. */
  training: z.object({
    run: z.string(),
    epoch: z.int().nonnegative(),
    step: z.int().nonnegative(),
    validationAccuracy: z.number().min(0).max(1),
    validationLoss: z.number(),
    confusion: confusionSchema.optional(),
  }).partial().optional(),
});

/** A model's self-description. */
export type ModelCard = z.infer<typeof modelCardSchema>;

/**
 * The shorter side that a photo may be shrunk to while decoding, in pixels: a little more than the input needs, as exact area
 * averages. Without antialiasing the sampled pixels matter, so only huge photos are shrunk.
 */
export function decodeSide({ height, width, antialias }: Preprocess): number {
  return antialias ? Math.ceil(Math.max(height, width) / 0.875) : 2048;
}

/** How the architectures here are trained unless told otherwise: RGB, stretched, values about -1 to 1. */
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
