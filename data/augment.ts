/**
 * Where each pixel of the network's input comes from in a photo: one affine map per sample, drawn on the CPU and applied by
 * the input kernel. What else varies: jitter.ts.
 * @module
 */
import { between, type ColourJitter, type Drawn } from "./jitter.ts";
import { CENTRE_CROP, type Preprocess, type Size } from "./preprocess.ts";
import { Stream, uniform } from "../engine/random.ts";

/** How much training photos are varied. */
export type AugmentLevel = "off" | "light" | "full";

/** Every level, for command lines. */
export const AUGMENT_LEVELS = ["off", "light", "full"] as const satisfies readonly AugmentLevel[];

/**
 * `[a, b, c, d, e, f]`: an output point `(ox, oy)` shows the source point `(a*ox + b*oy + c, d*ox + e*oy + f)`.
 * Both are continuous coordinates in pixels: pixel `i` covers `[i, i + 1)`, so its centre is at `i + 0.5`.
 * Points outside the source mean its nearest edge pixel.
 */
export type Affine = readonly [a: number, b: number, c: number, d: number, e: number, f: number];

/** How training photos vary. */
export interface Variation {
  /** Probability of mirroring left and right. */
  readonly flipHorizontal: number;
  /** Probability of mirroring top and bottom. */
  readonly flipVertical: number;
  /** Probability of a crop at a random position, and the range of the part of each side that is kept. */
  readonly crop: { readonly probability: number; readonly min: number; readonly max: number };
  /**
   * Random resized crops instead of `crop`: the range of the part of the photo's area that is shown, and of the view's aspect ratio beside
   * that of the whole photo (of the output, where photos are not stretched), drawn evenly by its logarithm. Absent: as `crop` says.
   */
  readonly resizedCrop?: {
    readonly scale: readonly [number, number];
    readonly ratio: readonly [number, number];
  };
  /** Probability of a rotation about the middle of what is shown, and its range in degrees, in either direction. */
  readonly rotation: { readonly probability: number; readonly min: number; readonly max: number };
  /** How far colours go. */
  readonly colours: ColourJitter;
  /** Probability that a box is erased. */
  readonly erase: number;
}

const SAME_COLOURS: ColourJitter = { brightness: 0, contrast: 0, saturation: 0 };

/** What each level does. `full` has the ranges of the C++ program at github.com/hermosayhl/CNN. */
export const VARIATIONS: Readonly<Record<AugmentLevel, Variation>> = {
  off: {
    flipHorizontal: 0,
    flipVertical: 0,
    crop: { probability: 0, min: 1, max: 1 },
    rotation: { probability: 0, min: 0, max: 0 },
    colours: SAME_COLOURS,
    erase: 0,
  },
  light: {
    flipHorizontal: 0.5,
    flipVertical: 0,
    crop: { probability: 1, min: 0.85, max: 1 },
    rotation: { probability: 0, min: 0, max: 0 },
    colours: SAME_COLOURS,
    erase: 0,
  },
  full: {
    flipHorizontal: 0.5,
    flipVertical: 0.2,
    crop: { probability: 0.5, min: 0.7, max: 0.95 },
    rotation: { probability: 0.3, min: 15, max: 75 },
    colours: SAME_COLOURS,
    erase: 0,
  },
};

/** What a run may say about how its photos vary: a level, and what of it is to be otherwise. */
export interface VariationOptions extends Partial<ColourJitter> {
  /** What holds where nothing else is said. */
  readonly augment: AugmentLevel;
  /** `Variation.flipHorizontal`. */
  readonly hflip?: number | undefined;
  /** `Variation.resizedCrop.scale`: crops are resized ones then. */
  readonly cropScale?: readonly [number, number] | undefined;
  /** `Variation.resizedCrop.ratio`. */
  readonly cropRatio?: readonly [number, number] | undefined;
  /** `Variation.erase`. */
  readonly randomErase?: number | undefined;
}

/** Aspect ratios of random resized crops where none are given: those of Inception and torchvision. */
const CROP_RATIO = [3 / 4, 4 / 3] as const;

/** The variation that these options mean. */
export function variationOf(options: VariationOptions): Variation {
  const level = VARIATIONS[options.augment];
  const { hflip, cropScale, cropRatio = CROP_RATIO, randomErase, ...colours } = options;
  const { brightness, contrast, saturation } = { ...level.colours, ...colours };
  return {
    ...level,
    flipHorizontal: hflip ?? level.flipHorizontal,
    ...cropScale && { resizedCrop: { scale: cropScale, ratio: cropRatio } },
    colours: { brightness, contrast, saturation },
    erase: randomErase ?? level.erase,
  };
}

/** The map for evaluation: the whole photo (`stretch`), or its centre in the output's aspect ratio (`crop`). */
export function evaluationMap(source: Size, output: Size, resize: Preprocess["resize"]): Affine {
  return compose(evaluationView(source, output, resize), output);
}

/** The map of one training sample, a pure function of its arguments; with `VARIATIONS.off` it is `evaluationMap`. */
export function augmentMap(
  { seed, epoch, index, vary, source, output, resize }: Drawn & {
    vary: Variation;
    source: Size;
    output: Size;
    resize: Preprocess["resize"];
  },
): Affine {
  const view = evaluationView(source, output, resize);
  let draws = 0;
  // Every draw is made whether or not it is used: one choice never shifts the numbers of another.
  const draw = () => uniform(seed, Stream.augment, index * 8 + draws++, epoch);
  const chosen = [draw(), draw(), draw(), draw()] as const;
  const [along, kept, atX, atY] = [draw(), draw(), draw(), draw()] as const;
  if (chosen[0] < vary.flipHorizontal) view.flipX = true;
  if (chosen[1] < vary.flipVertical) view.flipY = true;
  const { crop, resizedCrop } = vary;
  if (resizedCrop || chosen[2] < crop.probability) {
    const whole = largestView(source, output, resize);
    if (resizedCrop) {
      const [narrow, wide] = resizedCrop.ratio, area = between(resizedCrop.scale, kept);
      const along = uniform(seed, Stream.crop, index, epoch);
      const ratio = Math.exp(between([Math.log(narrow), Math.log(wide)], along));
      view.width = Math.min(source.width, whole.width * Math.sqrt(area * ratio));
      view.height = Math.min(source.height, whole.height * Math.sqrt(area / ratio));
    } else {
      const ratio = between([crop.min, crop.max], kept);
      view.width = whole.width * ratio;
      view.height = whole.height * ratio;
    }
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

/** The same view, mirrored left and right; `width` is that of the output in pixels. */
export function mirrored([a, b, c, d, e, f]: Affine, width: number): Affine {
  return [-a, b, c + a * width, -d, e, f + d * width];
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
