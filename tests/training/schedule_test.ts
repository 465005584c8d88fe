import { assertAlmostEquals, assertEquals } from "@std/assert";
import { learningRate, lengthenedText, SCHEDULES } from "../../training/options/schedule.ts";

const base = { lr: 0.1, steps: 100, warmup: 0 };

Deno.test("a constant rate stays, after a linear warm-up", () => {
  assertEquals(learningRate({ ...base, schedule: "constant" }, 99), 0.1);
  assertAlmostEquals(learningRate({ ...base, schedule: "constant", warmup: 10 }, 0), 0.01);
  assertAlmostEquals(learningRate({ ...base, schedule: "constant", warmup: 10 }, 9), 0.1);
});

Deno.test("the step schedule divides by ten after each third", () => {
  const rate = (step: number) => learningRate({ ...base, schedule: "step" }, step);
  assertAlmostEquals(rate(0), 0.1);
  assertAlmostEquals(rate(34), 0.01);
  assertAlmostEquals(rate(99), 0.001);
});

Deno.test("the cosine schedule starts at the full rate, is half way at half time and ends near 0", () => {
  const rate = (step: number) => learningRate({ ...base, schedule: "cosine" }, step);
  assertAlmostEquals(rate(0), 0.1);
  assertAlmostEquals(rate(50), 0.05);
  assertAlmostEquals(rate(99), 0.1 * (1 - Math.cos(Math.PI * 0.01)) / 2, 1e-9);
});

Deno.test("one cycle peaks at 30 % of the run and starts at a twenty-fifth of the peak", () => {
  const rates = Array.from(
    { length: 100 },
    (_, step) => learningRate({ ...base, schedule: "one-cycle" }, step),
  );
  assertEquals(rates.indexOf(Math.max(...rates)), 29);
  assertAlmostEquals(rates[29]!, 0.1);
  assertAlmostEquals(rates[0]!, 0.004, 1e-3);
});

Deno.test("no schedule gives a negative or an infinite rate, before, during or after the run", () => {
  for (const schedule of SCHEDULES) {
    for (let step = 0; step < 130; step++) {
      const rate = learningRate({ ...base, schedule, warmup: 7 }, step);
      assertEquals(rate >= 0 && rate <= 0.1 + 1e-12, true, `${schedule} ${step}: ${rate}`);
    }
  }
});

Deno.test("a longer run that goes on with a higher rate says so, any other is silent", () => {
  const cosine = { schedule: "cosine", lr: 0.02, warmup: 2 } as const;
  assertEquals(
    lengthenedText(cosine, 20, 40, 20),
    "Lengthened from 20 to 40 steps: the cosine schedule is stretched over all of them, " +
      "so the learning rate rises from 0.00015 to 0.011",
  );
  assertEquals(lengthenedText({ ...cosine, schedule: "constant" }, 20, 40, 20), undefined);
  assertEquals(lengthenedText(cosine, 20, 40, 1), undefined); // within the warm-up
  assertEquals(lengthenedText(cosine, 20, 40, 0), undefined);
});

Deno.test("a schedule that falls ends at the share of the highest rate that it is told", () => {
  for (const schedule of ["cosine", "one-cycle"] as const) {
    const at = (finalLr: number, step: number) =>
      learningRate({ schedule, lr: 0.1, steps: 1000, warmup: 100, finalLr }, step);
    assertAlmostEquals(at(0.05, 999), 0.005, 1e-5);
    assertEquals(at(0.05, 100), at(0, 100));
    assertEquals(at(0.05, 50), at(0, 50));
    // Half way down it is half way between both ends.
    assertAlmostEquals(at(0.05, 550), 0.0525, 1e-9);
  }
});
