/**
 * What happens to a training photo's pixels once they are placed: colours that vary, and a box that is erased. Drawn on the CPU, done by
 * the input kernel.
 * @module
 */
import type { Size } from "./preprocess.ts";
import { Stream, uniform } from "../engine/random.ts";

/** How far colours may go from what they are, each 0 (not at all) to 1; the names and ranges of torchvision's `ColorJitter`. */
export interface ColourJitter {
  /** Factor on all values, from 1 - this to 1 + this. */
  readonly brightness: number;
  /** Factor on the distance from middle grey, likewise. */
  readonly contrast: number;
  /** Factor on the distance from the pixel's own grey, likewise. */
  readonly saturation: number;
}

/** Rows of red, green and blue, [3, 4], each on (red, green, blue, 1) with values from 0 to 255. */
export type ColourMatrix = readonly number[];

/** Pixels of the input: columns from `x0` to before `x1`, rows from `y0` to before `y1`. */
export interface ErasedBox {
  /** First column. */
  readonly x0: number;
  /** First row. */
  readonly y0: number;
  /** The column after the last. */
  readonly x1: number;
  /** The row after the last. */
  readonly y1: number;
}

/** Which sample of which epoch is drawn for. */
export interface Drawn {
  /** Of the run. */
  readonly seed: number;
  /** Counted from 0. */
  readonly epoch: number;
  /** The sample's index in its split. */
  readonly index: number;
}

/** Share of red, green and blue in a pixel's grey (ITU-R BT.601, as PIL and torchvision have it). */
const GREY = [0.299, 0.587, 0.114] as const;

const MIDDLE = 127.5;

/**
 * Brightness, then contrast, then saturation, each by a factor drawn evenly; undefined where nothing may vary. Contrast is about middle
 * grey, not about the photo's mean, which nobody knows before the kernel has read it.
 */
export function jitterColours(
  { seed, epoch, index }: Drawn,
  { brightness, contrast, saturation }: ColourJitter,
): ColourMatrix | undefined {
  if (brightness === 0 && contrast === 0 && saturation === 0) return undefined;
  const factor = (range: number, draw: number) =>
    1 + range * (2 * uniform(seed, Stream.colour, index * 4 + draw, epoch) - 1);
  const scale = factor(brightness, 0), spread = factor(contrast, 1), own = factor(saturation, 2);
  const rows = GREY.map((_, row) => [
    ...GREY.map((grey, k) => scale * spread * ((row === k ? own : 0) + (1 - own) * grey)),
    MIDDLE * (1 - spread),
  ]);
  return rows.flat();
}

/** The part of the input that an erased box takes, and how much higher than wide it is: those of random erasing (Zhong et al. 2020). */
const ERASED = { area: [0.02, 0.33], ratio: [0.3, 3.3] } as const;

/** The box that is erased with that probability, in pixels of the output; undefined: none. */
export function eraseBox(
  { seed, epoch, index }: Drawn,
  probability: number,
  output: Size,
): ErasedBox | undefined {
  const draw = (k: number) => uniform(seed, Stream.erase, index * 8 + k, epoch);
  if (!(draw(0) < probability)) return undefined;
  const area = between(ERASED.area, draw(1)) * output.width * output.height;
  const ratio = Math.exp(between([Math.log(ERASED.ratio[0]), Math.log(ERASED.ratio[1])], draw(2)));
  const side = (length: number, most: number) => Math.min(most, Math.max(1, Math.round(length)));
  const height = side(Math.sqrt(area * ratio), output.height);
  const width = side(Math.sqrt(area / ratio), output.width);
  const x0 = Math.floor(draw(3) * (output.width - width + 1));
  const y0 = Math.floor(draw(4) * (output.height - height + 1));
  return { x0, y0, x1: x0 + width, y1: y0 + height };
}

/** The number at that share, 0 to 1, of the way from the first to the second. */
export function between([from, to]: readonly [number, number], share: number): number {
  return from + share * (to - from);
}
