/**
 * Cases of the input kernel.
 * @module
 */
import { hash } from "../../random.ts";
import {
  encodeSample,
  type Normalisation,
  type PhotoSample,
  photosToInput,
  SAMPLE_WORDS,
} from "./preprocess.ts";
import { type Case, compare } from "../../verify/case.ts";
import { paddingChecks, runOnce, uploadIntegers } from "../../verify/device.ts";
import { samplePhoto } from "./reference.ts";

const PLAIN: Normalisation = { channels: "RGB", mean: [0, 0, 0], std: [1, 1, 1] };
const IMAGENET: Normalisation = { channels: "RGB", mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };

/** A photo's size and map; several in one case share a batch. */
type Photo = Omit<PhotoSample, "first">;

function photos(name: string, side: number, list: readonly Photo[], normalisation: Normalisation): Case {
  return {
    op: "preprocess",
    name: `${list.map(({ width, height }) => `${width}x${height}`).join(" + ")} to ${side}x${side}, ${name}`,
    async run(gpu) {
      const words = list.map(({ width, height }, n) =>
        Uint32Array.from({ length: width * height }, (_, i) => hash(n, 0x7e5b, i))
      );
      const all = new Uint32Array(words.reduce((sum, { length }) => sum + length, 0));
      const records = new Uint32Array(list.length * SAMPLE_WORDS);
      let first = 0;
      list.forEach((photo, n) => {
        all.set(words[n]!, first);
        encodeSample({ ...photo, first }, records, n * SAMPLE_WORDS);
        first += words[n]!.length;
      });
      const found = await runOnce(gpu, "preprocess", (plan) => {
        const pixels = uploadIntegers(plan, "pixels", all);
        const samples = uploadIntegers(plan, "samples", records, [list.length, SAMPLE_WORDS]);
        const y = plan.tensor([list.length, side, side, 3], "y");
        photosToInput(plan, { pixels, samples, y }, normalisation);
        return { y };
      });
      const { mean, std } = normalisation;
      const channels = normalisation.channels === "RGB" ? [0, 1, 2] : [2, 1, 0];
      const wanted = list.flatMap((photo, n) => {
        const { antialias, map: [a, b, , d, e] } = photo;
        const taps = [tapsOf(antialias, a, d), tapsOf(antialias, b, e)] as const;
        const pixels = new Uint8Array(words[n]!.buffer);
        return [...samplePhoto({ ...photo, pixels, taps, channels, mean, std }, side)];
      });
      // Source positions of a few hundred pixels are off by 1e-5 in float32, and this noise changes fully from one to the next.
      return [...paddingChecks(found), compare("y", found.y.values, wanted, 1e-4)];
    },
  };
}

/** As many points as source pixels that one step covers; up to a fifth more than whole counts as whole. */
function tapsOf(antialias: boolean, x: number, y: number): number {
  return antialias ? Math.min(64, Math.max(1, Math.ceil(Math.hypot(x, y) - 0.2))) : 1;
}

function stretch(width: number, height: number, side: number, antialias = true): Photo {
  return { width, height, map: [width / side, 0, 0, 0, height / side, 0], antialias };
}

/** Mirrored along both axes, about the middle. */
function mirrored(width: number, height: number, side: number, scale: number): Photo {
  const map = [-scale, 0, (width + scale * side) / 2, 0, -scale, (height + scale * side) / 2] as const;
  return { width, height, map, antialias: true };
}

/** Rotated by 30 degrees about the middle, mirrored, half the size. */
function turned(width: number, height: number, side: number): Photo {
  const cos = 2 * Math.cos(Math.PI / 6), sin = 2 * Math.sin(Math.PI / 6), half = side / 2;
  const map = [-cos, sin, width / 2 + (cos - sin) * half, sin, cos, height / 2 - (cos + sin) * half] as const;
  return { width, height, map, antialias: true };
}

/** Colours that mix channels and leave the range at both ends. */
const RECOLOURED = [0.9, 0.3, -0.2, 20, -0.1, 1.4, 0.2, -60, 0.3, -0.4, 0.8, 90];

const erased = (x0: number, y0: number, x1: number, y1: number) => ({ erase: { x0, y0, x1, y1 } });

/** Cases of the input kernel. */
export const preprocessCases: readonly Case[] = [
  photos("one pixel", 3, [stretch(1, 1, 3)], PLAIN),
  photos("unchanged", 17, [stretch(17, 17, 17)], PLAIN),
  photos("enlarged", 37, [stretch(9, 7, 37)], IMAGENET),
  photos("shrunken", 37, [stretch(211, 150, 37)], IMAGENET),
  photos("shrunken without antialiasing, BGR", 37, [stretch(211, 150, 37, false)], {
    ...IMAGENET,
    channels: "BGR",
  }),
  photos("shrunken by 1.5 along each axis", 67, [stretch(101, 99, 67)], PLAIN),
  photos("shrunken by 2.1, four columns a point", 41, [stretch(87, 50, 41)], PLAIN),
  photos(
    "mirrored both ways, over the edge",
    37,
    [mirrored(64, 45, 37, 1.3), mirrored(30, 45, 37, 0.6)],
    PLAIN,
  ),
  photos("turned, mirrored, over the edge", 21, [turned(50, 37, 21)], PLAIN),
  photos("rows of fours, enlarged", 37, [stretch(12, 7, 37)], PLAIN),
  photos("rows of fours, shrunken by 1.5 and by 2", 67, [stretch(100, 99, 67), stretch(132, 134, 67)], PLAIN),
  photos("rows of fours, no antialiasing, BGR", 34, [stretch(64, 50, 34, false)], {
    ...IMAGENET,
    channels: "BGR",
  }),
  photos(
    "rows of fours, mirrored both ways, over the edge",
    38,
    [mirrored(64, 45, 38, 1.4), mirrored(72, 45, 38, 0.6)],
    PLAIN,
  ),
  photos("a batch", 32, [stretch(50, 37, 32), turned(64, 80, 32), stretch(5, 90, 32)], IMAGENET),
  photos("recoloured, on every path", 37, [
    { ...stretch(211, 150, 37), colour: RECOLOURED },
    { ...stretch(47, 40, 37), colour: RECOLOURED },
    { ...stretch(48, 40, 37), colour: RECOLOURED },
    stretch(48, 40, 37),
  ], IMAGENET),
  photos("recoloured and erased, BGR", 35, [
    { ...turned(64, 80, 35), colour: RECOLOURED, ...erased(3, 5, 12, 34) },
    { ...stretch(48, 40, 35), ...erased(0, 0, 35, 1) },
    { ...stretch(47, 40, 35), ...erased(34, 33, 35, 35) },
  ], { ...IMAGENET, channels: "BGR" }),
  photos("large", 224, [stretch(640, 480, 224)], IMAGENET),
];
