/** @module */
import { normal } from "../../engine/random.ts";

const TABLE = 2 ** 16;
let table: Float32Array | undefined;

/** Normally distributed values, fast enough for sixty million: a table of 65,536 in an order that differs from seed to seed. */
export function noise(seed: number, length: number): Float32Array<ArrayBuffer> {
  const values = table ??= Float32Array.from({ length: TABLE }, (_, i) => normal(1, 0xbe4d, i));
  const out = new Float32Array(length);
  // A prime step visits the whole table; each later round starts elsewhere.
  const step = 40_503 + 2 * seed;
  for (let i = 0, at = seed * 977; i < length; i++) {
    at = (at + step + (i % TABLE === 0 ? 1 : 0)) % TABLE;
    out[i] = values[at]!;
  }
  return out;
}
