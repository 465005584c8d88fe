import { assertEquals } from "@std/assert";
import {
  lossOnDevice,
  type LossOutputs,
  type LossProblem,
  meanLoss,
} from "../../../engine/kernels/softmax_cross_entropy/cases.ts";
import { compare } from "../../../engine/verify/case.ts";
import { normals, type Values } from "../../../engine/verify/sample.ts";
import { assertPassed, gpu } from "../../gpu.ts";

// What docs/softmax_cross_entropy.md derives, of 6 rows and 5 classes. q: softmax(logits); p: the targets.
const ROWS = 6, CLASSES = 5;
const logits = normals(1, [ROWS, CLASSES], 2);
const labels = Uint32Array.of(0, 3, 4, 1, 1, 2);
const onehot = Float32Array.from(
  { length: ROWS * CLASSES },
  (_, i) => Number(labels[Math.floor(i / CLASSES)] === i % CLASSES),
);

async function losses(problem: Omit<LossProblem, "logits">, of: Values = logits): Promise<LossOutputs> {
  return (await lossOnDevice(gpu, { ...problem, logits: of }, [of]))[0]!;
}

/** Targets that are no labels: the softmax of other logits. */
async function distributions(): Promise<Float32Array> {
  return (await losses({ labels }, normals(2, [ROWS, CLASSES], 2))).probabilities.values;
}

/** Sum over a row of a function of its positions in [ROWS, CLASSES]. */
function overRow(row: number, term: (at: number) => number): number {
  let sum = 0;
  for (let at = row * CLASSES; at < (row + 1) * CLASSES; at++) sum += term(at);
  return sum;
}

/** The mean over rows of a sum over their positions. */
function meanOf(term: (at: number) => number): number {
  return Array.from({ length: ROWS }, (_, row) => overRow(row, term)).reduce((a, b) => a + b) / ROWS;
}

const entropyOf = (p: Float32Array) => meanOf((at) => -p[at]! * Math.log(p[at]!));

Deno.test("softmax's derivative, q_i (1 - q_i) where i = j and -q_i q_j elsewhere, chained with the loss's, is the gradient", async () => {
  const p = await distributions();
  const { probabilities: { values: q }, dLogits } = await losses({ soft: p });
  const chained = q.map((_, j) =>
    overRow(
      Math.floor(j / CLASSES),
      (i) => -p[i]! / q[i]! * (i === j ? q[i]! * (1 - q[i]!) : -q[i]! * q[j]!),
    ) / ROWS
  );
  assertPassed([compare("dlogits", dLogits.values, chained)]);
});

Deno.test("the gradient of a row is q - p over the number of rows, and sums to 0", async () => {
  const { probabilities: { values: q }, dLogits } = await losses({ labels });
  const wanted = q.map((v, i) => (v - onehot[i]!) / ROWS);
  const sums = Array.from({ length: ROWS }, (_, row) => overRow(row, (at) => dLogits.values[at]!));
  assertPassed([
    compare("dlogits", dLogits.values, wanted),
    { quantity: "largest sum", error: Math.max(...sums.map(Math.abs)), tolerance: 1e-7 },
  ]);
});

Deno.test("the Kullback-Leibler divergence is cross-entropy minus the targets' entropy, and 0 with no gradient at q = p", async () => {
  const p = await distributions();
  const apart = await losses({ soft: p });
  const q = apart.probabilities.values;
  const divergence = meanOf((at) => p[at]! * Math.log(p[at]! / q[at]!));
  const same = await losses({ soft: p }, { shape: [ROWS, CLASSES], data: p.map(Math.log) });
  assertPassed([
    compare("divergence", [meanLoss(apart) - entropyOf(p)], [divergence]),
    compare("cross-entropy at q = p", [meanLoss(same)], [entropyOf(p)]),
    {
      quantity: "largest gradient at q = p",
      error: Math.max(...same.dLogits.values.map(Math.abs)),
      tolerance: 1e-7,
    },
  ]);
});

Deno.test("a constant added to a row's logits changes no bit of probabilities, loss and gradient", async () => {
  // Eighths, so that adding 5000, whose exponential overflows, rounds nothing.
  const eighths: Values = { shape: [ROWS, CLASSES], data: logits.data.map((v) => Math.round(v * 8) / 8) };
  const shifted: Values = { ...eighths, data: eighths.data.map((v) => v + 5000) };
  const [here, there] = await lossOnDevice(gpu, { logits: eighths, labels }, [eighths, shifted]);
  assertEquals(there!.probabilities.values, here!.probabilities.values);
  assertEquals(there!.dLogits.values, here!.dLogits.values);
  assertEquals(there!.result.values, here!.result.values);
});

Deno.test("a label is the soft target that is 1 at the label", async () => {
  const hard = await losses({ labels }), soft = await losses({ soft: onehot });
  assertPassed([
    compare("result", soft.result.values, hard.result.values),
    compare("dlogits", soft.dLogits.values, hard.dLogits.values),
  ]);
});

Deno.test("label smoothing is the target (1 - s) p + s / classes", async () => {
  const p = await distributions(), s = 0.2;
  for (const [target, plain] of [[{ labels }, onehot], [{ soft: p }, p]] as const) {
    const smoothed = await losses({ ...target, smoothing: s });
    const mixed = await losses({ soft: plain.map((v) => (1 - s) * v + s / CLASSES) });
    assertPassed([
      compare("loss", [meanLoss(smoothed)], [meanLoss(mixed)]),
      compare("dlogits", smoothed.dLogits.values, mixed.dLogits.values),
    ]);
  }
});

Deno.test("the mean divides by the labels' weights, but by the number of rows where targets are soft", async () => {
  const weights = new Float32Array(CLASSES).fill(3);
  const mean = meanLoss(await losses({ labels }));
  assertPassed([
    compare("labels", [meanLoss(await losses({ labels, weights }))], [mean]),
    compare("soft", [meanLoss(await losses({ soft: onehot, weights }))], [3 * mean]),
  ]);
});
