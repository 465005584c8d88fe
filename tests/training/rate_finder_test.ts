import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { judgeRates, testRates } from "../../training/search/rate_finder.ts";
import { learningRate } from "../../training/options/schedule.ts";
import { places, smallOptions, withShapes } from "./small_run.ts";
import { testNeeding } from "../permissions.ts";

Deno.test("the rate of a range test rises by the same factor at every step, over five decades", () => {
  const rate = (step: number) => learningRate({ schedule: "range-test", lr: 2, steps: 50, warmup: 0 }, step);
  assertAlmostEquals(rate(49), 2);
  assertAlmostEquals(rate(0), 2e-5 * 10 ** 0.1, 1e-12);
  for (let step = 1; step < 50; step++) assertAlmostEquals(rate(step) / rate(step - 1), 10 ** 0.1, 1e-9);
});

Deno.test("a range test finds where the loss is lowest and how far up it stays low", () => {
  // Level, then falling, then away.
  const losses = [2, 2, 2, 1.95, 1.8, 1.2, 0.7, 0.6, 0.58, 0.7, 1.5, 9];
  const points = losses.map((loss, i) => ({ lr: 10 ** (-4.5 + i / 2), loss }));
  const { lowest, edge, suggested } = judgeRates(points, "one-cycle");
  assertAlmostEquals(lowest, points[7]!.lr);
  // Smoothed: 0.63 at the lowest, 2 at first, so up to 0.97: 0.93 at the next but two.
  assertAlmostEquals(edge, points[9]!.lr);
  assertEquals(suggested, 1);
  assertEquals(judgeRates(points, "cosine").suggested, 0.3);
  // A loss that never rises again says that the test should have gone on.
  assertAlmostEquals(judgeRates(points.slice(0, 9), "cosine").edge, points[8]!.lr);
  assertThrows(
    () => judgeRates(points.slice(0, 4), "cosine"),
    RangeError,
    "got 4 readings, wanted at least 5",
  );
});

testNeeding("all")(
  "a range test trains until its loss is gone, and leaves early then",
  () =>
    withShapes(async (dir, data) => {
      const options = smallOptions(data, "--patience", "1", "--ema", "0.9");
      const points = await testRates(options, { steps: 400, highest: 1e4 }, places(dir, "test"), () => {});
      const rates = points!.map(({ lr }) => lr), losses = points!.map(({ loss }) => loss);
      assertEquals(rates, rates.toSorted((a, b) => a - b));
      assert(Math.min(...losses) < 0.9 * losses[0]!, `${losses}`);
      assert(rates.at(-1)! < 1e4, `it went on to ${rates.at(-1)}`);
    }),
);
