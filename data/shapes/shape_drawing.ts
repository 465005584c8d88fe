/**
 * Draws the default data set's pictures, one shape on a background, everything about it random but for its class, and writes them as
 * files. Started as a Worker it takes one list of pictures, reports each, and is ended by its owner.
 * @module
 */
import encodeMozJpeg, { init } from "@jsquash/jpeg/encode.js";
import type { DecodedImage } from "../image/image.ts";
import { hash, Stream, uniform } from "../../engine/random.ts";

/** What can be drawn, in the order of the labels. */
export const SHAPES = ["circle", "square", "star", "triangle"] as const satisfies readonly Shape[];

/** A class of the default data set. */
export type Shape = "circle" | "square" | "star" | "triangle";

type Colour = readonly [red: number, green: number, blue: number];

/**
 * Ranges of each channel: shapes are light on dark, with a fair contrast, so that a small network learns the outlines within
 * minutes instead of colour combinations within hours.
 */
const DARK = [0, 110] as const, LIGHT = [125, 255] as const;

/** Shapes are turned by at most this much either way, in radians. */
const TURN = Math.PI / 6;

/** Signed distances from the edge, negative inside, for a shape whose circumscribed circle has radius 1. */
const DISTANCES: Readonly<Record<Shape, (x: number, y: number) => number>> = {
  circle: (x, y) => Math.hypot(x, y) - 1,
  square: (x, y) => Math.max(Math.abs(x), Math.abs(y)) - Math.SQRT1_2,
  triangle: (x, y) => Math.max(Math.abs(x) * Math.sqrt(3) / 2 + y / 2, -y) - 0.5,
  star: starDistance,
};

/** Five points; the inner corners lie at 0.45 of the radius. */
function starDistance(x: number, y: number): number {
  const fifth = 2 * Math.PI / 5, inner = 0.45;
  const angle = Math.abs(((Math.atan2(y, x) % fifth) + 1.5 * fifth) % fifth - fifth / 2); // 0 at a point, fifth / 2 between
  const radius = Math.hypot(x, y);
  const px = radius * Math.cos(angle), py = radius * Math.sin(angle);
  // The edge runs from the point (1, 0) to the inner corner.
  const ex = inner * Math.cos(fifth / 2) - 1, ey = inner * Math.sin(fifth / 2);
  return ((px - 1) * -ey + py * ex) * -1 / Math.hypot(ex, ey);
}

/** Draws picture number `id` of `shape`: 128 to 160 pixels a side, a pure function of the arguments. */
export function drawShape(shape: Shape, id: number, seed: number): DecodedImage {
  let draws = 0;
  const random = (min = 0, max = 1) => min + uniform(seed, Stream.shapes, draws++, id) * (max - min);
  const width = 128 + 4 * Math.floor(random(0, 9)), height = 128 + 4 * Math.floor(random(0, 9));
  const radius = random(0.55, 0.9) * Math.min(width, height) / 2;
  const x0 = random(radius, width - radius), y0 = random(radius, height - radius);
  const angle = random(-TURN, TURN), cos = Math.cos(angle) / radius, sin = Math.sin(angle) / radius;
  const from = colourIn(random, ...DARK), to = colourIn(random, ...DARK);
  const background = random() < 0.5 ? gradient(random) : patches(random);
  const colour = colourIn(random, ...LIGHT), shade = random(-0.2, 0.2);
  const grain = random(4, 40);
  const distance = DISTANCES[shape];
  const data = new Uint8ClampedArray(width * height * 4);
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at += 4) {
      const u = (x + 0.5 - x0) * cos + (y + 0.5 - y0) * sin, v = (y + 0.5 - y0) * cos - (x + 0.5 - x0) * sin;
      // The edge is one pixel wide.
      const cover = u * u + v * v > 1.1 ? 0 : Math.min(1, Math.max(0, 0.5 - distance(u, v) * radius));
      const blend = background((x + 0.5) / width, (y + 0.5) / height);
      const light = 1 + shade * v;
      const noise = hash(seed, Stream.shapes, 1000 + y * width + x, id);
      for (let c = 0; c < 3; c++) {
        const value = cover * colour[c]! * light + (1 - cover) * (from[c]! + (to[c]! - from[c]!) * blend);
        data[at + c] = value + ((noise >> (8 * c) & 255) / 255 - 0.5) * grain;
      }
      data[at + 3] = 255;
    }
  }
  return { width, height, data: new Uint8Array(data.buffer) };
}

type Random = (min?: number, max?: number) => number;
/** How much of the second colour shows at a point, both coordinates 0 to 1. */
type Background = (x: number, y: number) => number;

function colourIn(random: Random, min: number, max: number): Colour {
  return [random(min, max), random(min, max), random(min, max)];
}

/** From one colour to the other along a random direction. */
function gradient(random: Random): Background {
  const angle = random(0, 2 * Math.PI), dx = Math.cos(angle), dy = Math.sin(angle);
  return (x, y) => 0.5 + ((x - 0.5) * dx + (y - 0.5) * dy) / Math.SQRT2;
}

/** Soft patches: random mixtures of both colours on a grid, smoothly joined. */
function patches(random: Random): Background {
  const cells = 3 + Math.floor(random(0, 4));
  const grid = Array.from({ length: (cells + 1) ** 2 }, () => random());
  return (x, y) => {
    const column = Math.min(cells - 1, Math.floor(x * cells)),
      row = Math.min(cells - 1, Math.floor(y * cells));
    const fx = smooth(x * cells - column), fy = smooth(y * cells - row);
    const i = row * (cells + 1) + column;
    const top = grid[i]! + (grid[i + 1]! - grid[i]!) * fx;
    const bottom = grid[i + cells + 1]! + (grid[i + cells + 2]! - grid[i + cells + 1]!) * fx;
    return top + (bottom - top) * fy;
  };
}

function smooth(t: number): number {
  return t * t * (3 - 2 * t);
}

/** MozJPEG's own settings; what is not given is as MozJPEG has it. */
export interface JpegOptions {
  /** 0 to 100. */
  readonly quality?: number;
  /** Whether the picture comes in several passes. */
  readonly progressive?: boolean;
  /** 1 grey, 2 RGB, 3 YCbCr. */
  readonly color_space?: number;
}

let ready: Promise<void> | undefined;

/** Encodes an image as JPEG; alpha is ignored. */
export async function encodeJpeg(
  image: DecodedImage,
  options: JpegOptions = {},
): Promise<Uint8Array<ArrayBuffer>> {
  ready ??= start();
  await ready;
  const { width, height, data } = image;
  const pixels = new Uint8ClampedArray(data.buffer, data.byteOffset, data.byteLength);
  return new Uint8Array(
    await encodeMozJpeg({ width, height, data: pixels, colorSpace: "srgb" } as ImageData, options),
  );
}

async function start(): Promise<void> {
  const code = await Deno.readFile(new URL(import.meta.resolve("@jsquash/jpeg/codec/enc/mozjpeg_enc.wasm")));
  const compiled = await WebAssembly.compile(code);
  await init({
    instantiateWasm(imports: WebAssembly.Imports, done: (instance: WebAssembly.Instance) => void) {
      const instance = new WebAssembly.Instance(compiled, imports);
      done(instance);
      return instance.exports;
    },
  });
}

/** A picture to draw and the file that it goes to, whose folder exists. */
export interface ShapeFile {
  /** The file. */
  readonly path: string;
  /** What to draw. */
  readonly shape: Shape;
  /** Number of the picture. */
  readonly id: number;
}

/** What a worker is told: once, after it was started. */
export interface ShapesRequest {
  /** Of the whole set. */
  readonly seed: number;
  /** This worker's part of the set. */
  readonly files: readonly ShapeFile[];
}

/** What it answers: for each file that no error has been met, or the error. */
export type ShapesReply = { readonly error: string | null };

if (import.meta.main) {
  const scope = self as unknown as {
    onmessage: (event: MessageEvent<ShapesRequest>) => void;
    postMessage(reply: ShapesReply): void;
  };
  scope.onmessage = async ({ data: { seed, files } }) => {
    try {
      for (const { path, shape, id } of files) {
        const jpeg = await encodeJpeg(drawShape(shape, id, seed), { quality: 85, progressive: false });
        await Deno.writeFile(path, jpeg);
        scope.postMessage({ error: null });
      }
    } catch (error) {
      scope.postMessage({ error: (error as Error).message });
    }
  };
}
