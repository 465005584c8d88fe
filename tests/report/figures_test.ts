import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { aucInterval, figuresOf, reliability, rocAuc, wilson } from "../../report/figures.ts";
import type { Predictions } from "../../training/evaluation/predictions.ts";

Deno.test("Wilson's interval is statsmodels', and there is none of nothing", () => {
  // proportion_confint(8, 10, method="wilson")
  const { low, high } = wilson(8, 10)!;
  assertAlmostEquals(low, 0.4901625, 1e-6);
  assertAlmostEquals(high, 0.9433178, 1e-6);
  assertAlmostEquals(wilson(10, 10)!.high, 1, 1e-12);
  assertEquals(wilson(0, 0), undefined);
});

Deno.test("the area under the ROC curve is scikit-learn's, ties count half, and one kind alone has none", () => {
  // The example of roc_auc_score's documentation.
  assertEquals(rocAuc([0.1, 0.4, 0.35, 0.8], [false, false, true, true]), 0.75);
  assertEquals(rocAuc([1, 1, 1, 1], [true, false, true, false]), 0.5);
  assertEquals(rocAuc([0, 1, 1, 2], [false, false, true, true]), 0.875);
  assertEquals(rocAuc([0.5, 0.6], [true, true]), undefined);
});

Deno.test("the interval of an area is Hanley and McNeil's", () => {
  // Their example: an area of 0.893 from 51 abnormal and 58 normal images has a standard error of 0.0325.
  const { low, high } = aucInterval(0.893, 51, 58);
  assertAlmostEquals((high - low) / 2 / 1.96, 0.0325, 1e-4);
});

Deno.test("confidences lie in fifteen bins, whose gaps weigh as many as they hold", () => {
  // 0.65 twice, half right, in bin 9; 0.95 twice, both right, in bin 14; 0.9 in bin 13.
  const confidences = [[0.65, true], [0.65, false], [0.95, true], [0.95, true], [0.9, true]] as const;
  const { bins, ece } = reliability(confidences.map(([probability, right]) => ({ probability, right })));
  assertEquals(bins.map(({ n }) => n), [0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 1, 2]);
  assertEquals([bins[9]!.accuracy, bins[9]!.confidence, bins[9]!.low], [0.5, 0.65, 0.6]);
  assertAlmostEquals(ece, (2 * 0.15 + 1 * 0.1 + 2 * 0.05) / 5, 1e-12);
});

/** Predictions whose logits are these. */
function predictionsOf(classes: string[], rows: number[][], labels: number[]): Predictions {
  return {
    ...{ classes, logits: Float32Array.from(rows.flat()), labels: Uint32Array.from(labels) },
    paths: rows.map((_, i) => `${i}.jpg`),
  };
}

Deno.test("precision, recall, F1 and their means are those of scikit-learn's classification_report", () => {
  // y_true = [0, 1, 2, 2, 2], y_pred = [0, 0, 2, 2, 1]: the example of its documentation.
  const one = (k: number) => [0, 1, 2].map((j) => j === k ? 4 : 0);
  const { perClass, accuracy, macroF1, balancedAccuracy, confusion, n, loss, top } = figuresOf(
    predictionsOf(["a", "b", "c"], [one(0), one(0), one(2), one(2), one(1)], [0, 1, 2, 2, 2]),
  );
  assertEquals([n, accuracy.value], [5, 0.6]);
  assertEquals(perClass.map(({ precision, recall, n }) => [precision.value, recall.value, n]), [
    [0.5, 1, 1],
    [0, 0, 1],
    [1, 2 / 3, 3],
  ]);
  perClass.forEach(({ f1 }, k) => assertAlmostEquals(f1!, [2 / 3, 0, 0.8][k]!, 1e-12));
  assertAlmostEquals(macroF1, (2 / 3 + 0.8) / 3, 1e-12);
  assertAlmostEquals(balancedAccuracy, (1 + 2 / 3) / 3, 1e-12);
  assertEquals(confusion, [[1, 0, 0], [1, 0, 0], [0, 1, 2]]);
  // Each right answer costs log(1 + 2 e^-4), each wrong one 4 more.
  assertAlmostEquals(loss, Math.log(1 + 2 * Math.exp(-4)) + 4 * 2 / 5, 1e-6);
  assertEquals(top, []);
});

Deno.test("top-k is told of more than five classes, and a class without photos has no recall and no area", () => {
  const row = [6, 5, 4, 3, 2, 1];
  const { top, perClass } = figuresOf(predictionsOf([..."abcdef"], [row, row, row, row], [0, 2, 3, 5]));
  assertEquals(top.map(({ k, value }) => [k, value]), [[3, 0.5], [5, 0.75]]);
  assertEquals([perClass[1]!.recall.value, perClass[1]!.auc.value], [undefined, undefined]);
});

Deno.test("a temperature changes loss and calibration and no answer", () => {
  const predictions = predictionsOf(["a", "b"], [[4, 0], [4, 0], [4, 0], [0, 4]], [0, 0, 1, 1]);
  const plain = figuresOf(predictions), scaled = figuresOf(predictions, 4);
  assertEquals(scaled.confusion, plain.confusion);
  assert(scaled.reliability.ece < plain.reliability.ece && scaled.loss < plain.loss);
});
