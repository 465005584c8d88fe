/**
 * Counter-based randomness: every number is a pure function of what it is for, so a shuffle, an augmentation or
 * a dropout mask can be recomputed at any time, in any order, on any thread or on the device.
 * @module
 */

/** What a random number is for. Two purposes never share numbers, whatever their indices. */
export const Stream = {
  shuffle: 1,
  split: 2,
  augment: 3,
  shapes: 4,
  initialise: 5,
  dropout: 6,
  crop: 7,
  colour: 8,
  erase: 9,
  mix: 10,
  mixNormal: 11,
  sampling: 12,
} as const;

/**
 * A well-mixed u32 of four u32 counters; `epoch` may be an epoch or a step. Fractions are cut off, values wrap at 2^32.
 *
 * `mix` is Wellons' lowbias32 (nullprogram.com/blog/2018/07/31); the counters before `index` make a key for an
 * Even-Mansour cipher of `index`, so no two keys give shifted or reordered copies of one sequence. In WGSL:
 * ```wgsl
 * fn mix32(n: u32) -> u32 {
 *   var x = n;
 *   x = (x ^ (x >> 16u)) * 0x7feb352du;
 *   x = (x ^ (x >> 15u)) * 0x846ca68bu;
 *   return x ^ (x >> 16u);
 * }
 * fn hash(seed: u32, stream: u32, index: u32, epoch: u32) -> u32 {
 *   let key = mix32(mix32(mix32(seed + 0x9e3779b9u) + stream) + epoch);
 *   return mix32(mix32(index ^ key) + key);
 * }
 * ```
 */
export function hash(seed: number, stream: number, index: number, epoch = 0): number {
  const key = mix(mix(mix((seed | 0) + 0x9e3779b9) + (stream | 0)) + (epoch | 0));
  return mix(mix(index ^ key) + key) >>> 0;
}

function mix(n: number): number {
  let x = n | 0;
  x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
  x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
  return x ^ (x >>> 16);
}

/** A number in [0, 1): the hash's upper 24 bits, so exactly the same f32 as `f32(hash(...) >> 8u) * 0x1p-24` in WGSL. */
export function uniform(seed: number, stream: number, index: number, epoch = 0): number {
  return (hash(seed, stream, index, epoch) >>> 8) * 2 ** -24;
}

/** A standard normal number (Box-Muller of the uniforms at `2 * index` and `2 * index + 1`). */
export function normal(seed: number, stream: number, index: number, epoch = 0): number {
  const radius = 1 - uniform(seed, stream, 2 * index, epoch); // (0, 1]: its logarithm is finite
  const angle = uniform(seed, stream, 2 * index + 1, epoch);
  return Math.sqrt(-2 * Math.log(radius)) * Math.cos(2 * Math.PI * angle);
}

/** The numbers 0 to `n - 1` in random order (Fisher-Yates), one order for each (seed, epoch, stream). */
export function shuffle(
  n: number,
  seed: number,
  epoch: number,
  stream: number = Stream.shuffle,
): Uint32Array {
  const order = Uint32Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const j = Math.floor(hash(seed, stream, i, epoch) * (i + 1) / 2 ** 32);
    const kept = order[i]!;
    order[i] = order[j]!;
    order[j] = kept;
  }
  return order;
}

/** Sixteen hexadecimal digits that tell texts apart (64-bit FNV-1a): for identities, not for secrets. */
export function fingerprint(text: string): string {
  let state = 0xcbf29ce484222325n;
  for (const byte of new TextEncoder().encode(text)) {
    state = BigInt.asUintN(64, (state ^ BigInt(byte)) * 0x100000001b3n);
  }
  return state.toString(16).padStart(16, "0");
}
