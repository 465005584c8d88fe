/**
 * Seeded inputs for cases.
 * @module
 */
import { normal, shuffle } from "../random.ts";

/** Values with a shape, row-major and without padding. */
export interface Values {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** Random stream of the cases, apart from those that training uses. */
const STREAM = 0x7e57;

function make(shape: readonly number[], value: (index: number) => number): Values {
  const size = shape.reduce((a, b) => a * b, 1);
  return { shape, data: Float32Array.from({ length: size }, (_, i) => value(i)) };
}

/** Normally distributed values. */
export function normals(seed: number, shape: readonly number[], scale = 1, mean = 0): Values {
  return make(shape, (i) => mean + scale * normal(seed, STREAM, i));
}

/** Normally distributed values moved `gap` away from zero, where a ReLU has its kink. */
export function awayFromZero(seed: number, shape: readonly number[], gap: number): Values {
  return make(shape, (i) => {
    const value = normal(seed, STREAM, i);
    return value + Math.sign(value) * gap;
  });
}

/** Values 0, `spacing`, 2 `spacing` … around zero in random order: no two are close, so maxima are unique. */
export function distinct(seed: number, shape: readonly number[], spacing: number): Values {
  const order = shuffle(shape.reduce((a, b) => a * b, 1), seed, 0, STREAM);
  return make(shape, (i) => (order[i]! - order.length / 2) * spacing);
}

/** Small whole numbers, so that ties are frequent. */
export function ties(seed: number, shape: readonly number[]): Values {
  return make(shape, (i) => Math.round(normal(seed, STREAM, i)));
}

/** max(value, 0) of each. */
export function rectified({ shape, data }: Values): Values {
  return { shape, data: data.map((v) => Math.max(v, 0)) };
}
