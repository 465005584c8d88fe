/**
 * Pictures that are computed, each unlike the others, and what may be done to one.
 * @module
 */
import type { DecodedImage } from "../../../data/image/image.ts";

/** A picture that has nothing to do with those of other seeds: soft hills of light. */
export function scene(seed: number, width = 160, height = 120): DecodedImage {
  const data = new Uint8Array(width * height * 4).fill(255);
  const random = (n: number) => Math.abs(Math.sin(seed * 127.1 + n * 311.7) * 43758.5453) % 1;
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at += 4) {
      let value = 128;
      for (let k = 0; k < 8; k++) {
        const [u, v] = [(random(3 * k) - 0.5) * 14, (random(3 * k + 1) - 0.5) * 14];
        value += 14 * Math.sin(u * x / width + v * y / height + 6.3 * random(3 * k + 2));
      }
      data[at] = data[at + 1] = data[at + 2] = Math.max(0, Math.min(255, value));
    }
  }
  return { width, height, data };
}

/** The picture with other colours, by the index of each. */
export function changed(image: DecodedImage, value: (i: number) => number): DecodedImage {
  const data = image.data.slice();
  for (let i = 0; i < data.length; i++) if (i % 4 < 3) data[i] = Math.max(0, Math.min(255, value(i)));
  return { ...image, data };
}

/** The picture as in a mirror. */
export function mirrored(image: DecodedImage): DecodedImage {
  return changed(image, (i) => {
    const pixel = i >> 2, x = pixel % image.width;
    return image.data[(pixel - x + image.width - 1 - x) * 4 + i % 4]!;
  });
}
