/**
 * Photos to network input in one launch: resize, crop, flip, rotate, recolour, erase, swap channels, normalise.
 * @module
 */
import type { Plan } from "../../plan.ts";
import type { Tensor } from "../../tensor.ts";
import wgsl from "./preprocess.wgsl" with { type: "text" };

/** Invocations of a workgroup, and columns and rows that each of them fills. */
const GROUP = 8, COLUMNS = 4, ROWS = 32;

/** Channel order and normalisation of the network's input. */
export interface Normalisation {
  /** Order of the input's channels. */
  readonly channels: "RGB" | "BGR";
  /** In the order of `channels`, on values from 0 to 1. */
  readonly mean: readonly [number, number, number];
  /** In the order of `channels`; what is divided by. */
  readonly std: readonly [number, number, number];
}

/** u32 words of one sample's record. */
export const SAMPLE_WORDS = 28;

/** The colour matrix that changes nothing. */
const SAME_COLOURS = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0] as const;

/** Where one sample comes from: a photo in the pixel buffer and the map from output to source pixels. */
export interface PhotoSample {
  /** Index of the photo's first pixel in the pixel buffer. */
  readonly first: number;
  /** Of the photo, in pixels. */
  readonly width: number;
  /** Of the photo, in pixels. */
  readonly height: number;
  /** (a, b, c, d, e, f): output point (x, y) shows source point (a x + b y + c, d x + e y + f). */
  readonly map: readonly [number, number, number, number, number, number];
  /** Average over the shrunken area (true) or sample one point (false). */
  readonly antialias: boolean;
  /** Rows of red, green and blue, [3, 4]: of (red, green, blue, 1) on values from 0 to 255, cut to that range; absent: as they are. */
  readonly colour?: readonly number[] | undefined;
  /** Output pixels that get the mean colour: columns from `x0` to before `x1`, rows from `y0` to before `y1`; absent: none. */
  readonly erase?:
    | { readonly x0: number; readonly y0: number; readonly x1: number; readonly y1: number }
    | undefined;
}

/** Largest number of points averaged per direction; beyond it, shrinking starts to alias. */
const MAX_TAPS = 64;

/** Writes a sample's record (`SAMPLE_WORDS` words) at `at`. */
export function encodeSample(sample: PhotoSample, into: Uint32Array<ArrayBuffer>, at: number): void {
  const [a, b, c, d, e, f] = sample.map;
  const floats = new Float32Array(into.buffer, into.byteOffset, into.length);
  into[at] = sample.first;
  into[at + 1] = sample.width;
  into[at + 2] = sample.height;
  into[at + 3] = sample.antialias ? taps(a, d) | taps(b, e) << 16 : 0x10001;
  floats.set([a, b, c, 0, d, e, f, 0], at + 4);
  floats.set(sample.colour ?? SAME_COLOURS, at + 12);
  const { x0 = 0, y0 = 0, x1 = 0, y1 = 0 } = sample.erase ?? {};
  into.set([x0, y0, x1, y1], at + 24);
}

/**
 * Points along one output axis: as many as source pixels that one step covers. Up to a fifth more than whole counts
 * as whole, since a bilinear point already blends two pixels.
 */
function taps(dx: number, dy: number): number {
  return Math.min(MAX_TAPS, Math.max(1, Math.ceil(Math.hypot(dx, dy) - 0.2)));
}

/**
 * Records y [N, H, W, 3] from photos in `pixels` (RGBA, one u32 each) as `samples` [N, SAMPLE_WORDS] says: the resize, crop,
 * flip, rotation, colours and normalisation of a whole batch.
 */
export function photosToInput(
  plan: Plan,
  { pixels, samples, y }: {
    readonly pixels: Tensor<"u32">;
    readonly samples: Tensor<"u32">;
    readonly y: Tensor;
  },
  { channels, mean, std }: Normalisation,
): void {
  const [N, H, W, C] = y.shape as [number, number, number, number];
  if (C !== 3 || samples.shape[0] !== N || samples.shape[1] !== SAMPLE_WORDS) {
    throw new RangeError(
      `Cannot build preprocess: input is [${y.shape}] and samples [${samples.shape}], wanted [N,H,W,3] and [N,${SAMPLE_WORDS}]`,
    );
  }
  const constants: Record<string, number> = { H, W, ROWS, GROUP, BGR: channels === "BGR" ? 1 : 0 };
  mean.forEach((value, i) => constants[`MEAN_${i}`] = value);
  std.forEach((value, i) => constants[`STD_${i}`] = value);
  plan.add({
    name: "preprocess.main",
    wgsl,
    tensors: [pixels, samples, y],
    constants,
    grid: [Math.ceil(W / COLUMNS / GROUP), Math.ceil(H / ROWS), N],
  });
}
