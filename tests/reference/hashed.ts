/**
 * Values by the integer hash that the reference files of whole networks name, so that no large file is needed.
 * @module
 */

/** value[i] = ((i * 2654435761 + salt * 40503) mod 2^32 / 2^32 - 0.5) * 2 * scale */
export function hashed(length: number, salt: number, scale: number): Float32Array {
  const values = new Float32Array(length);
  const start = Math.imul(salt, 40503);
  for (let i = 0; i < length; i++) {
    values[i] = (((Math.imul(i, 2654435761) + start) >>> 0) / 2 ** 32 - 0.5) * 2 * scale;
  }
  return values;
}

/** In float64. */
export function sum(values: Float32Array): number {
  let total = 0;
  for (let i = 0; i < values.length; i++) total += values[i]!;
  return total;
}

/** Euclidean, in float64. */
export function norm(values: Float32Array): number {
  let squares = 0;
  for (let i = 0; i < values.length; i++) squares += values[i]! ** 2;
  return Math.sqrt(squares);
}
