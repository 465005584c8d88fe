import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { judgeRates, testRates } from "../../training/rate_finder.ts";
import { learningRate } from "../../training/schedule.ts";
import { places, smallOptions, withShapes } from "./small_run.ts";
import { testNeeding } from "../permissions.ts";

Deno.test("the rate of a range test rises by the same factor at every step, over five decades", () => {
  const rate = (step: number) => learningRate({ schedule: "range-test", lr: 2, steps: 50, warmup: 0 }, step);
  assertAlmostEquals(rate(49), 2);
  assertAlmostEquals(rate(0), 2e-5 * 10 ** 0.1, 1e-12);
  for (let step = 1; step < 50; step++) assertAlmostEquals(rate(step) / rate(step - 1), 10 ** 0.1, 1e-9);
});

Deno.test("a range test finds where the loss falls fastest and where it is lowest", () => {
  // Level, then falling, fastest about 1e-2, lowest at 1e-1, then away.
  const losses = [2, 2, 2, 1.95, 1.8, 1.2, 0.7, 0.6, 0.58, 1.5, 9];
  const points = losses.map((loss, i) => ({ lr: 10 ** (-4.5 + i / 2), loss }));
  const { lowest, steepest, suggested } = judgeRates(points);
  assertAlmostEquals(lowest, points[7]!.lr);
  assertAlmostEquals(steepest, points[5]!.lr);
  assertEquals(suggested, 0.01);
  // One that never falls has nothing but its beginning.
  assertAlmostEquals(judgeRates(losses.map((_, i) => ({ lr: i + 1, loss: i + 1 }))).steepest, 1);
  assertThrows(() => judgeRates(points.slice(0, 4)), RangeError, "got 4 readings, wanted at least 5");
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
