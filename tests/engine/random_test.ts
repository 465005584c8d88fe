import { assert, assertAlmostEquals, assertEquals, assertNotEquals } from "@std/assert";
import { hash, normal, shuffle, Stream, uniform } from "../../engine/random.ts";

/** The documented formula once more, in BigInt arithmetic modulo 2^32. */
function reference(seed: bigint, stream: bigint, index: bigint, epoch: bigint): number {
  const u32 = (n: bigint) => n & 0xffffffffn;
  const mix = (n: bigint) => {
    let x = u32(n);
    x = u32((x ^ x >> 16n) * 0x7feb352dn);
    x = u32((x ^ x >> 15n) * 0x846ca68bn);
    return x ^ x >> 16n;
  };
  const key = mix(mix(mix(seed + 0x9e3779b9n) + stream) + epoch);
  return Number(mix(mix(index ^ key) + key));
}

function countBits(n: number): number {
  let bits = 0;
  for (; n !== 0; n &= n - 1) bits++;
  return bits;
}

Deno.test("hash is the documented formula in 32-bit arithmetic", () => {
  for (
    const [seed, stream, index, epoch] of [[0, 0, 0, 0], [1, 2, 3, 4], [2 ** 32 - 1, 77, 123456789, 2 ** 31]]
  ) {
    const expected = reference(BigInt(seed!), BigInt(stream!), BigInt(index!), BigInt(epoch!));
    assertEquals(hash(seed!, stream!, index!, epoch!), expected);
  }
});

Deno.test("flipping any single bit of any counter flips about half of the hash", () => {
  for (let counter = 0; counter < 4; counter++) {
    for (let bit = 0; bit < 32; bit++) {
      let flipped = 0;
      for (let trial = 0; trial < 256; trial++) {
        const from: [number, number, number, number] = [trial % 5, 1 + trial % 7, trial, trial % 3];
        const to: typeof from = [...from];
        to[counter] = (from[counter]! ^ (1 << bit)) >>> 0;
        flipped += countBits(hash(...from) ^ hash(...to));
      }
      assert(
        Math.abs(flipped / 256 - 16) < 3,
        `counter ${counter}, bit ${bit}: ${flipped / 256} of 32 bits flip`,
      );
    }
  }
});

Deno.test("uniform numbers fill [0, 1) evenly along every counter", () => {
  const draws: ((i: number) => number)[] = [
    (i) => uniform(i, 1, 0),
    (i) => uniform(1, i, 0),
    (i) => uniform(1, 1, i),
    (i) => uniform(1, 1, 0, i),
  ];
  for (const [counter, draw] of draws.entries()) {
    const count = 65536, bins = new Float64Array(256);
    let product = 0, before = 0.5;
    for (let i = 0; i < count; i++) {
      const u = draw(i);
      assert(u >= 0 && u < 1);
      assertEquals(Math.fround(u), u, "exactly an f32");
      bins[Math.floor(u * 256)]!++;
      product += (u - 0.5) * (before - 0.5);
      before = u;
    }
    const chiSquare = bins.reduce((sum, n) => sum + (n - count / 256) ** 2 / (count / 256), 0);
    // 255 degrees of freedom: mean 255, standard deviation 22.6.
    assert(chiSquare > 165 && chiSquare < 345, `counter ${counter}: chi-square ${chiSquare}`);
    assertAlmostEquals(12 * product / count, 0, 0.02, `counter ${counter}: neighbours correlate`);
  }
});

Deno.test("normal numbers have mean 0, variance 1 and the right tails", () => {
  const count = 100_000;
  let sum = 0, squares = 0, beyondTwo = 0;
  for (let i = 0; i < count; i++) {
    const n = normal(3, Stream.initialise, i);
    sum += n;
    squares += n * n;
    if (Math.abs(n) > 2) beyondTwo++;
  }
  assertAlmostEquals(sum / count, 0, 0.015);
  assertAlmostEquals(squares / count, 1, 0.02);
  assertAlmostEquals(beyondTwo / count, 0.0455, 0.003);
});

Deno.test("a shuffle holds every number once and depends on seed and epoch alone", () => {
  const order = shuffle(1001, 7, 3);
  assertEquals(shuffle(1001, 7, 3), order);
  assertNotEquals(shuffle(1001, 7, 4), order);
  assertNotEquals(shuffle(1001, 8, 3), order);
  assertEquals(order.toSorted(), Uint32Array.from({ length: 1001 }, (_, i) => i));
  assertEquals(shuffle(0, 1, 1).length, 0);
  assertEquals([...shuffle(1, 1, 1)], [0]);
});

Deno.test("a shuffle puts each number in each place equally often", () => {
  const n = 6, rounds = 6000, seen = new Float64Array(n * n);
  for (let epoch = 0; epoch < rounds; epoch++) {
    shuffle(n, 1, epoch).forEach((value, place) => seen[value * n + place]!++);
  }
  const expected = rounds / n;
  const chiSquare = seen.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
  assert(chiSquare < 60, `chi-square ${chiSquare} with 25 degrees of freedom`);
});
