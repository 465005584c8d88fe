import { assert, assertEquals } from "@std/assert";
import type { DecodedImage, Orientation } from "../../../data/image/image.ts";
import { flattenOnWhite, orient, shrink } from "../../../data/image/pixels.ts";
import { hash } from "../../../engine/random.ts";

function noise(width: number, height: number): DecodedImage {
  const data = Uint8Array.from(
    { length: width * height * 4 },
    (_, i) => i % 4 === 3 ? 255 : hash(1, 2, i) & 255,
  );
  return { width, height, data };
}

/** The mean over the area that target pixel (x, y) covers, by brute force. */
function areaMean(
  source: DecodedImage,
  width: number,
  height: number,
  x: number,
  y: number,
  c: number,
): number {
  const overlap = (i: number, from: number, to: number) =>
    Math.max(0, Math.min(i + 1, to) - Math.max(i, from));
  const left = x * source.width / width, right = (x + 1) * source.width / width;
  const top = y * source.height / height, bottom = (y + 1) * source.height / height;
  let sum = 0;
  for (let sy = 0; sy < source.height; sy++) {
    for (let sx = 0; sx < source.width; sx++) {
      const weight = overlap(sx, left, right) * overlap(sy, top, bottom);
      sum += weight * source.data[(sy * source.width + sx) * 4 + c]!;
    }
  }
  return sum / ((right - left) * (bottom - top));
}

Deno.test("shrinking is the mean over the covered area, rounded", () => {
  for (
    const [sw, sh, side] of [[37, 23, 11], [23, 37, 22], [40, 20, 10], [5, 64, 1], [31, 31, 30], [
      50,
      37,
      28,
    ]] as const
  ) {
    const source = noise(sw, sh);
    const { width, height, data } = shrink(source, side);
    assertEquals(Math.min(width, height), side);
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        for (let c = 0; c < 3; c++) {
          const mean = areaMean(source, width, height, x, y, c), got = data[(y * width + x) * 4 + c]!;
          assert(
            Math.abs(mean - got) <= 0.5 + 1e-9,
            `${got} at ${x}, ${y} of ${width}x${height}: expected ${mean}`,
          );
        }
        assertEquals(data[(y * width + x) * 4 + 3], 255);
      }
    }
  }
});

Deno.test("halving averages four pixels and rounds halves up", () => {
  const data = new Uint8Array(16).fill(255);
  data.set([0, 1, 10], 0);
  data.set([0, 0, 20], 4);
  data.set([1, 0, 30], 8);
  data.set([1, 0, 40], 12);
  assertEquals([...shrink({ width: 2, height: 2, data }, 1).data], [1, 0, 25, 255]);
});

Deno.test("an image that is small enough is returned as it is", () => {
  const image = noise(9, 7);
  assertEquals(shrink(image, 7), image);
  assertEquals(shrink(image, 700), image);
});

Deno.test("orientations 1 to 8 move every pixel where EXIF says", () => {
  const source = noise(3, 2);
  const stored = (x: number, y: number) => source.data.subarray((y * 3 + x) * 4, (y * 3 + x) * 4 + 4);
  // Where the upright pixel (x, y) is stored; 3 columns and 2 rows are stored.
  const from: Record<Orientation, (x: number, y: number) => [number, number]> = {
    1: (x, y) => [x, y],
    2: (x, y) => [2 - x, y],
    3: (x, y) => [2 - x, 1 - y],
    4: (x, y) => [x, 1 - y],
    5: (x, y) => [y, x],
    6: (x, y) => [y, 1 - x],
    7: (x, y) => [2 - y, 1 - x],
    8: (x, y) => [2 - y, x],
  };
  for (const [key, place] of Object.entries(from)) {
    const orientation = Number(key) as Orientation;
    const { width, height, data } = orient(source, orientation);
    assertEquals([width, height], orientation < 5 ? [3, 2] : [2, 3]);
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const at = (y * width + x) * 4;
        assertEquals(
          [...data.subarray(at, at + 4)],
          [...stored(...place(x, y))],
          `orientation ${key} at ${x}, ${y}`,
        );
      }
    }
  }
});

Deno.test("transparency lets white through and nothing stays transparent", () => {
  const data = Uint8Array.of(10, 20, 30, 255, 10, 20, 30, 0, 100, 0, 200, 51);
  flattenOnWhite(data);
  assertEquals([...data], [10, 20, 30, 255, 255, 255, 255, 255, 224, 204, 244, 255]);
});
