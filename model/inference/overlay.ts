/**
 * Paints a Grad-CAM map as pixels to lay over the photo.
 * @module
 */
import type { Affine } from "../../data/augment.ts";
import type { Size } from "../../data/preprocess.ts";
import type { DecodedImage } from "../../data/image/image.ts";
import type { Heatmap } from "./classifier_types.ts";

/** What is painted: where each point of the network's input lies in the photo. */
export interface OverlayJob {
  /** As the classifier gives it. */
  readonly heatmap: Heatmap;
  /** The photo in pixels. */
  readonly photo: Size;
  /** The network's input in pixels. */
  readonly input: Size;
  /** Input to photo, as `evaluationMap` gives it; not turned. */
  readonly map: Affine;
}

/** The picture's longer side unless told: browsers enlarge it smoothly, and the map itself is a few cells wide. */
const LONGER_SIDE = 240;

/** Matplotlib's inferno (CC0) at even steps: as bright as the value is high, for colour-blind people, too. */
const INFERNO = [
  [0, 0, 4],
  [31, 12, 72],
  [85, 15, 109],
  [136, 34, 106],
  [186, 54, 85],
  [227, 89, 51],
  [249, 140, 10],
  [249, 201, 50],
  [252, 255, 164],
] as const;

/**
 * A picture in the photo's aspect ratio, its longer side that many pixels: brighter and more opaque where the map is higher, clear outside
 * of the input.
 */
export function overlayPixels(
  { heatmap, photo, input, map }: OverlayJob,
  longerSide: number = LONGER_SIDE,
): DecodedImage {
  const scale = longerSide / Math.max(photo.width, photo.height);
  const width = Math.max(1, Math.round(photo.width * scale)),
    height = Math.max(1, Math.round(photo.height * scale));
  const pixels = new Uint8Array(width * height * 4);
  for (let y = 0; y < height; y++) {
    const inputY = ((y + 0.5) / height * photo.height - map[5]) / map[4];
    for (let x = 0; x < width; x++) {
      const inputX = ((x + 0.5) / width * photo.width - map[2]) / map[0];
      if (inputX < 0 || inputY < 0 || inputX > input.width || inputY > input.height) continue;
      const value = sample(
        heatmap,
        inputX / input.width * heatmap.width,
        inputY / input.height * heatmap.height,
      );
      pixels.set(colour(value), (y * width + x) * 4);
    }
  }
  return { width, height, data: pixels };
}

/** How much of the photo a map hides where it is highest. */
const OPACITY = 0.7;

/** A photo with the map laid over it, as large as the photo; `job.photo` is its size. */
export function explainedPhoto(
  { width, height, data }: DecodedImage,
  job: Omit<OverlayJob, "photo">,
): DecodedImage {
  const overlay = overlayPixels({ ...job, photo: { width, height } }, Math.max(width, height)).data;
  const pixels = data.map((value, i) => {
    const share = OPACITY * overlay[i | 3]! / 255;
    return (i & 3) === 3 ? 255 : Math.round(value + share * (overlay[i]! - value));
  });
  return { width, height, data: pixels };
}

function colour(value: number): [number, number, number, number] {
  const at = value * (INFERNO.length - 1);
  const low = INFERNO[Math.floor(at)]!, high = INFERNO[Math.ceil(at)]!, part = at - Math.floor(at);
  const mix = (channel: 0 | 1 | 2) => Math.round(low[channel] + (high[channel] - low[channel]) * part);
  return [mix(0), mix(1), mix(2), Math.round(255 * value)];
}

/** Catmull-Rom between cell centres, edges repeated: straight lines between so few cells would show as a grid. 0 to 1. */
function sample({ width, height, data }: Heatmap, x: number, y: number): number {
  const left = Math.floor(x - 0.5), top = Math.floor(y - 0.5);
  const across = weights(x - 0.5 - left), down = weights(y - 0.5 - top);
  let sum = 0;
  for (let j = 0; j < 4; j++) {
    const row = clamp(top - 1 + j, height - 1) * width;
    for (let i = 0; i < 4; i++) sum += across[i]! * down[j]! * data[row + clamp(left - 1 + i, width - 1)]!;
  }
  return Math.min(1, Math.max(0, sum));
}

function weights(t: number): readonly number[] {
  return [
    t * (-0.5 + t * (1 - 0.5 * t)),
    1 + t * t * (-2.5 + 1.5 * t),
    t * (0.5 + t * (2 - 1.5 * t)),
    t * t * (-0.5 + 0.5 * t),
  ];
}

function clamp(index: number, max: number): number {
  return Math.min(max, Math.max(0, index));
}
