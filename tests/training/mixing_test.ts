import { assert, assertAlmostEquals, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { encodePair, mixSamples, PAIR_WORDS } from "../../engine/kernels/mix/mix.ts";
import { batchMix, mixes, type MixOptions } from "../../training/step/mixing.ts";
import { integersOnly, planOnly, shapeOnly } from "../gpu.ts";

const size = { width: 40, height: 30 };
const options = (given: Partial<MixOptions>): MixOptions => ({
  ...{ mixup: 0, cutmix: 0, mixProb: 1, mixSwitchProb: 0.5 },
  ...given,
});
const drawn = (given: Partial<MixOptions>, count = 4000) =>
  Array.from({ length: count }, (_, batch) => batchMix(options(given), 1, batch, size));
const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;

Deno.test("a batch's mix depends on the seed and its number alone", () => {
  const given = options({ mixup: 0.4, cutmix: 1 });
  assertEquals(batchMix(given, 3, 8, size), batchMix(given, 3, 8, size));
  assertNotEquals(batchMix(given, 3, 8, size), batchMix(given, 3, 9, size));
  assertNotEquals(batchMix(given, 3, 8, size), batchMix(given, 4, 8, size));
});

Deno.test("nothing is mixed without mixup and cutmix, or with a share of none", () => {
  assertEquals([mixes(options({})), mixes(options({ mixup: 1, mixProb: 0 }))], [false, false]);
  assertEquals(
    drawn({}, 10).concat(drawn({ mixup: 1, mixProb: 0 }, 10)).some((mix) => mix !== undefined),
    false,
  );
});

Deno.test("as many batches are mixed as is asked for, and as many of these are cut", () => {
  const mixed = drawn({ mixup: 0.4, cutmix: 1, mixProb: 0.5, mixSwitchProb: 0.25 });
  const some = mixed.filter((mix) => mix !== undefined);
  assertAlmostEquals(some.length / mixed.length, 0.5, 0.03);
  assertAlmostEquals(some.filter(({ pair }) => pair.box).length / some.length, 0.25, 0.03);
});

Deno.test("mixup's share follows the beta distribution of its alpha", () => {
  for (const alpha of [0.2, 0.4, 1, 3]) {
    const shares = drawn({ mixup: alpha }).map((mix) => mix!.labelShare);
    assert(shares.every((share) => share >= 0 && share <= 1));
    assertAlmostEquals(mean(shares), 0.5, 0.02, `mean of alpha ${alpha}`);
    const variance = mean(shares.map((share) => (share - 0.5) ** 2));
    assertAlmostEquals(variance, 1 / (4 * (2 * alpha + 1)), 0.006, `variance of alpha ${alpha}`);
  }
  for (const { labelShare, pair } of drawn({ mixup: 0.4 }, 20).map((mix) => mix!)) {
    assertEquals(pair, { share: labelShare });
  }
  // So close to 0 that both of its gamma variables round to 0.
  const ends = drawn({ mixup: 1e-4 }, 200).map((mix) => mix!.labelShare);
  assertAlmostEquals(mean(ends), 0.5, 0.15);
});

Deno.test("cutmix's labels have the shares that the box leaves and takes", () => {
  const mixed = drawn({ cutmix: 1 }).map((mix) => mix!);
  for (const { labelShare, pair: { share, box } } of mixed) {
    assertEquals(share, 1);
    const { x0, y0, x1, y1 } = box!;
    assert(x0 >= 0 && y0 >= 0 && x1 <= 40 && y1 <= 30 && x0 <= x1 && y0 <= y1);
    assertAlmostEquals(labelShare, 1 - (x1 - x0) * (y1 - y0) / 1200, 1e-12);
  }
  assert(
    mixed.some(({ pair: { box } }) => box!.x0 === 0) && mixed.some(({ pair: { box } }) => box!.y1 === 30),
  );
  // Boxes of half the input on average, less what leaves it.
  const mixedShare = mean(mixed.map(({ labelShare }) => labelShare));
  assert(mixedShare > 0.55 && mixedShare < 0.75, `${mixedShare}`);
});

Deno.test("mix refuses shapes that differ, and more channels than four", () => {
  const build = (x: number[], y: number[], pairs: number[]) => () =>
    mixSamples(planOnly(), { x: shapeOnly(x), y: shapeOnly(y), pairs: integersOnly(pairs) });
  const pairs = [2, PAIR_WORDS];
  assertThrows(build([2, 4, 4, 3], [2, 4, 5, 3], pairs), RangeError, "Cannot build mix: x is [2,4,4,3]");
  assertThrows(build([2, 4, 4, 5], [2, 4, 4, 5], pairs), RangeError, "Cannot build mix");
  assertThrows(build([2, 4, 4, 3], [2, 4, 4, 3], [3, PAIR_WORDS]), RangeError, "pairs [3,8]");
});

Deno.test("a pair's record is partner, share and box", () => {
  const words = new Uint32Array(PAIR_WORDS);
  encodePair({ partner: 5, share: 0.25, box: { x0: 1, y0: 2, x1: 3, y1: 4 } }, words, 0);
  assertEquals([...words], [5, 0x3e800000, 0, 0, 1, 2, 3, 4]);
});
