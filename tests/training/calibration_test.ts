import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { calibrate, fitTemperature } from "../../training/evaluation/calibration.ts";
import { calibrationError, crossEntropy } from "../../training/evaluation/confidence.ts";
import type { Predictions } from "../../training/evaluation/predictions.ts";
import { uniform } from "../../engine/random.ts";

/** Labels drawn from the softmax of random logits, which are told `scale` times too large. */
function drawn(n: number, scale: number): Predictions {
  const classes = ["a", "b", "c"], logits = new Float32Array(3 * n), labels = new Uint32Array(n);
  for (let i = 0; i < n; i++) {
    const row = [0, 1, 2].map((k) => 6 * uniform(1, 0, 3 * i + k, 0) - 3);
    const powers = row.map(Math.exp), sum = powers.reduce((a, b) => a + b, 0);
    let left = uniform(2, 0, i, 0) * sum;
    labels[i] = Math.max(0, powers.findIndex((power) => (left -= power) < 0));
    logits.set(row.map((v) => scale * v), 3 * i);
  }
  return { classes, logits, labels, paths: Array.from(labels, () => "") };
}

Deno.test("the temperature undoes what logits are too large or too small by, and the calibration error with it", () => {
  for (const scale of [4, 1, 0.25]) {
    const { temperature, photos, eceBefore, eceAfter } = calibrate(drawn(4000, scale));
    assertAlmostEquals(temperature / scale, 1, 0.08);
    assertEquals(photos, 4000);
    assert(eceAfter < 0.03, `${eceAfter}`);
    if (scale !== 1) assert(eceBefore > 0.1, `${eceBefore}`);
  }
});

Deno.test("no other temperature has a lower cross-entropy", () => {
  const { logits, labels, ...rest } = drawn(60, 2);
  const loss = (t: number) =>
    labels.reduce((sum, label, i) => sum + crossEntropy(logits.subarray(3 * i, 3 * i + 3), label, t), 0);
  const best = fitTemperature({ ...rest, logits, labels });
  for (const factor of [0.98, 1.02]) assert(loss(best) < loss(best * factor));
});

Deno.test("the calibration error is each bin's distance between accuracy and confidence, weighted by its photos", () => {
  const sure = { probability: 0.9, right: true }, wrong = { probability: 0.9, right: false };
  const half = { probability: 0.5, right: true };
  assertAlmostEquals(calibrationError([sure, sure, sure, wrong, half]), (4 * 0.15 + 0.5) / 5, 1e-12);
  assertAlmostEquals(calibrationError([{ probability: 1, right: true }]), 0, 1e-12);
});

Deno.test("fewer than five photos are refused", () => {
  assertThrows(() => calibrate(drawn(4, 1)), RangeError, "Cannot calibrate on 4 photos");
});
