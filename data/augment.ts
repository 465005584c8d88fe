/**
 * Where each pixel of the network's input comes from in a photo: one affine map per sample, drawn on the CPU and applied by
 * the input kernel.
 * @module
 */
import { CENTRE_CROP, type Preprocess } from "./preprocess.ts";
import { Stream, uniform } from "../engine/random.ts";

/** How much training photos are varied. */
export type AugmentLevel = "off" | "light" | "full";

/** Every level, for command lines. */
export const AUGMENT_LEVELS = ["off", "light", "full"] as const satisfies readonly AugmentLevel[];

/** Width and height in pixels. */
export interface Size {
  /** Columns. */
  readonly width: number;
  /** Rows. */
  readonly height: number;
}

/**
 * `[a, b, c, d, e, f]`: an output point `(ox, oy)` shows the source point `(a*ox + b*oy + c, d*ox + e*oy + f)`.
 * Both are continuous coordinates in pixels: pixel `i` covers `[i, i + 1)`, so its centre is at `i + 0.5`.
 * Points outside the source mean its nearest edge pixel.
 */
export type Affine = readonly [a: number, b: number, c: number, d: number, e: number, f: number];

/** What a level of augmentation does. */
export interface Variation {
  /** Probability of mirroring left and right. */
  readonly flipHorizontal: number;
  /** Probability of mirroring top and bottom. */
  readonly flipVertical: number;
  /** Probability of a crop at a random position, and the range of the part of each side that is kept. */
  readonly crop: { readonly probability: number; readonly min: number; readonly max: number };
  /** Probability of a rotation about the middle of what is shown, and its range in degrees, in either direction. */
  readonly rotation: { readonly probability: number; readonly min: number; readonly max: number };
}

/** What `light` and `full` do. `full` has the ranges of the C++ program at github.com/hermosayhl/CNN. */
export const VARIATIONS: Readonly<Record<Exclude<AugmentLevel, "off">, Variation>> = {
  light: {
    flipHorizontal: 0.5,
    flipVertical: 0,
    crop: { probability: 1, min: 0.85, max: 1 },
    rotation: { probability: 0, min: 0, max: 0 },
  },
  full: {
    flipHorizontal: 0.5,
    flipVertical: 0.2,
    crop: { probability: 0.5, min: 0.7, max: 0.95 },
    rotation: { probability: 0.3, min: 15, max: 75 },
  },
};

/** The map for evaluation: the whole photo (`stretch`), or its centre in the output's aspect ratio (`crop`). */
export function evaluationMap(source: Size, output: Size, resize: Preprocess["resize"]): Affine {
  return compose(evaluationView(source, output, resize), output);
}

/** The map of one training sample, a pure function of its arguments; `off` is `evaluationMap`. */
export function augmentMap(
  { seed, epoch, index, level, source, output, resize }: {
    seed: number;
    epoch: number;
    /** The sample's index in its split. */
    index: number;
    level: AugmentLevel;
    source: Size;
    output: Size;
    resize: Preprocess["resize"];
  },
): Affine {
  const view = evaluationView(source, output, resize);
  if (level === "off") return compose(view, output);
  const vary = VARIATIONS[level];
  let draws = 0;
  // Every draw is made whether or not it is used: one choice never shifts the numbers of another.
  const draw = () => uniform(seed, Stream.augment, index * 8 + draws++, epoch);
  const chosen = [draw(), draw(), draw(), draw()] as const;
  const [along, kept, atX, atY] = [draw(), draw(), draw(), draw()] as const;
  if (chosen[0] < vary.flipHorizontal) view.flipX = true;
  if (chosen[1] < vary.flipVertical) view.flipY = true;
  if (chosen[2] < vary.crop.probability) {
    const whole = largestView(source, output, resize);
    const ratio = vary.crop.min + kept * (vary.crop.max - vary.crop.min);
    view.width = whole.width * ratio;
    view.height = whole.height * ratio;
    view.x = view.width / 2 + atX * (source.width - view.width);
    view.y = view.height / 2 + atY * (source.height - view.height);
  }
  if (chosen[3] < vary.rotation.probability) {
    const { min, max } = vary.rotation;
    const clockwise = along < 0.5;
    const degrees = min + (clockwise ? 2 * along : 2 * along - 1) * (max - min);
    view.angle = (clockwise ? 1 : -1) * degrees * Math.PI / 180;
  }
  return compose(view, output);
}

/** What the output shows: a rectangle of the source by centre and size, turned by `angle` radians, then mirrored. */
interface View {
  x: number;
  y: number;
  width: number;
  height: number;
  angle: number;
  flipX: boolean;
  flipY: boolean;
}

function largestView(source: Size, output: Size, resize: Preprocess["resize"]): Size {
  if (resize === "stretch") return source;
  const scale = Math.min(source.width / output.width, source.height / output.height);
  return { width: output.width * scale, height: output.height * scale };
}

function evaluationView(source: Size, output: Size, resize: Preprocess["resize"]): View {
  const whole = largestView(source, output, resize);
  const ratio = resize === "crop" ? CENTRE_CROP : 1;
  return {
    x: source.width / 2,
    y: source.height / 2,
    width: whole.width * ratio,
    height: whole.height * ratio,
    angle: 0,
    flipX: false,
    flipY: false,
  };
}

/** source = centre + rotation * scale * mirror * (output - middle of the output), multiplied out. */
function compose(view: View, output: Size): Affine {
  const scaleX = (view.flipX ? -1 : 1) * view.width / output.width;
  const scaleY = (view.flipY ? -1 : 1) * view.height / output.height;
  const cos = Math.cos(view.angle), sin = Math.sin(view.angle);
  const a = cos * scaleX, b = -sin * scaleY, d = sin * scaleX, e = cos * scaleY;
  const midX = output.width / 2, midY = output.height / 2;
  return [a, b, view.x - a * midX - b * midY, d, e, view.y - d * midX - e * midY];
}
