/**
 * Cases of distillation.
 * @module
 */
import type { Gpu } from "../../device.ts";
import { type Case, type Check, compare } from "../../verify/case.ts";
import { slopeDirection } from "../../verify/differentiable.ts";
import { paddingChecks, runOnce, upload } from "../../verify/device.ts";
import { normals, type Values } from "../../verify/sample.ts";
import { softmaxCrossEntropy } from "../softmax_cross_entropy/reference.ts";
import { lossAndGradient } from "../softmax_cross_entropy/softmax_cross_entropy.ts";
import { addUp, distill, divergence } from "./distillation.ts";
import { distillRow, type Divergence, divergenceOf } from "./reference.ts";

interface Problem {
  readonly logits: Values;
  readonly teacher: Values;
  readonly targets: Float32Array;
  readonly temperature: number;
  readonly weight: number;
  readonly smoothing: number;
}

const rowsOf = (values: ArrayLike<number>, classes: number): number[][] =>
  Array.from(
    { length: values.length / classes },
    (_, n) => Array.from({ length: classes }, (_, c) => values[n * classes + c]!),
  );

/** Rows of parts [N, 4]. */
const partsOf = (rows: readonly (Divergence | undefined)[]): number[] =>
  rows.flatMap((row) => row ? [row.crossEntropy, row.divergence, row.entropy, 1] : [0, 0, 0, 0]);

/** Both losses on the device, and what they add up to over two batches. */
function onDevice(gpu: Gpu, problem: Problem, logits: Values) {
  const { teacher, targets, temperature, weight, smoothing } = problem;
  return runOnce(gpu, "distillation", (plan) => {
    const [rows, classes] = logits.shape as [number, number];
    const x = upload(plan, "logits", logits);
    const soft = upload(plan, "targets", { shape: [rows, classes], data: targets });
    const classWeights = upload(plan, "weights", {
      shape: [classes],
      data: new Float32Array(classes).fill(1),
    });
    const labelled = lossAndGradient(plan, {
      logits: x,
      target: { soft },
      classWeights,
      labelSmoothing: smoothing,
    });
    const { result, parts } = distill(plan, {
      ...{ logits: x, teacher: upload(plan, "teacher", teacher), labelled, temperature, weight },
    });
    const totals = plan.tensor([4], "totals");
    addUp(plan, { parts, totals });
    addUp(plan, { parts, totals });
    return { result, parts, totals, dLogits: labelled.dLogits };
  });
}

async function check(gpu: Gpu, problem: Problem): Promise<Check[]> {
  const { logits, teacher, targets, temperature, weight, smoothing } = problem;
  const classes = logits.shape[1]!;
  const label = softmaxCrossEntropy(logits.data, classes, { soft: targets, smoothing });
  const teachers = rowsOf(teacher.data, classes), kept = rowsOf(targets, classes);
  const rows = rowsOf(logits.data, classes).map((row, n) =>
    kept[n]!.some((p) => p !== 0) ? distillRow(row, teachers[n]!, temperature) : undefined
  );
  const scale = 1 / label.counted;
  const dLogits = rows.flatMap((row, n) =>
    Array.from(
      { length: classes },
      (_, c) => row ? (1 - weight) * label.dLogits[n * classes + c]! + weight * row.dLogits[c]! * scale : 0,
    )
  );
  const losses = rows.map((row, n) => row ? (1 - weight) * label.rowLosses[n]! + weight * row.loss : 0);
  const direction = slopeDirection(Float64Array.from(dLogits));
  const moved = (sign: number): Values => ({
    shape: logits.shape,
    data: logits.data.map((v, i) => v + sign * 2 ** -6 * direction[i]!),
  });
  const found = await onDevice(gpu, problem, logits);
  const mean = ({ result }: { result: { values: Float32Array } }) =>
    result.values.reduce((sum, v, i) => i % 4 === 0 ? sum + v : sum, 0);
  const [upper, lower] = [moved(1), moved(-1)];
  const measured = mean(await onDevice(gpu, problem, upper)) - mean(await onDevice(gpu, problem, lower));
  const predicted = found.dLogits.values.reduce((s, d, i) => s + d * (upper.data[i]! - lower.data[i]!), 0);
  const parts = partsOf(rows);
  return [
    ...paddingChecks(found),
    compare("dlogits", found.dLogits.values, dLogits),
    compare("losses of rows", found.result.values.filter((_, i) => i % 4 === 3), losses),
    compare("loss", [mean(found)], [losses.reduce((a, b) => a + b, 0) * scale]),
    compare("parts", found.parts.values, parts),
    compare(
      "totals of two batches",
      found.totals.values,
      [0, 1, 2, 3].map((k) => 2 * parts.reduce((sum, v, i) => i % 4 === k ? sum + v : sum, 0)),
    ),
    { quantity: "slope of logits", error: Math.abs(measured / predicted - 1), tolerance: 2e-3 },
  ];
}

/** Targets that are one class each; every row in `out` is left out. */
function oneHot(rows: number, classes: number, out: readonly number[] = []): Float32Array {
  const targets = new Float32Array(rows * classes);
  for (let n = 0; n < rows; n++) if (!out.includes(n)) targets[n * classes + (n * 7) % classes] = 1;
  return targets;
}

function distilled(
  [rows, classes]: readonly [number, number],
  options: Partial<Pick<Problem, "temperature" | "weight" | "smoothing" | "targets">> & { scale?: number },
): Case {
  const { temperature = 4, weight = 0.7, smoothing = 0, scale = 3, targets } = options;
  return {
    op: "distillation",
    name: `${rows}x${classes}, temperature ${temperature}, weight ${weight}${
      smoothing > 0 ? `, label smoothing ${smoothing}` : ""
    }${targets ? ", a row left out" : ""}`,
    run: (gpu) =>
      check(gpu, {
        logits: normals(1, [rows, classes], scale),
        teacher: normals(2, [rows, classes], 2 * scale),
        targets: targets ?? oneHot(rows, classes),
        ...{ temperature, weight, smoothing },
      }),
  };
}

/** Against targets that are given; a class of probability 0 adds nothing. */
function diverged(name: string, rows: readonly (readonly number[])[], scale = 3): Case {
  return {
    op: "distillation",
    name: `divergence, ${name}`,
    async run(gpu) {
      const shape = [rows.length, rows[0]!.length];
      const logits = normals(3, shape, scale);
      const found = await runOnce(gpu, "divergence", (plan) => {
        const targets = upload(plan, "targets", { shape, data: Float32Array.from(rows.flat()) });
        return { parts: divergence(plan, { logits: upload(plan, "logits", logits), targets }) };
      });
      const all = rowsOf(logits.data, shape[1]!);
      const wanted = rows.map((p, n) => p.some((v) => v > 0) ? divergenceOf(p, all[n]!, 1) : undefined);
      return [...paddingChecks(found), compare("parts", found.parts.values, partsOf(wanted))];
    },
  };
}

/** Four columns of wider rows, as records of batches have them. */
const columnsOfRecords: Case = {
  op: "distillation",
  name: "add up, columns 8 to 11 of 12",
  async run(gpu) {
    const rows = normals(4, [5, 12]);
    const found = await runOnce(gpu, "add up", (plan) => {
      const totals = plan.tensor([4], "totals");
      addUp(plan, { parts: upload(plan, "records", rows), totals, column: 8 });
      return { totals };
    });
    const wanted = [8, 9, 10, 11].map((k) =>
      rows.data.reduce((sum, v, i) => i % 12 === k ? sum + v : sum, 0)
    );
    return [...paddingChecks(found), compare("totals", found.totals.values, wanted)];
  },
};

/** Cases of distillation. */
export const distillationCases: readonly Case[] = [
  distilled([5, 3], {}),
  distilled([7, 130], { temperature: 1, weight: 1 }),
  distilled([4, 6], { temperature: 2.5, weight: 0.5, smoothing: 0.1, targets: oneHot(4, 6, [2]) }),
  distilled([3, 2], { weight: 0 }),
  distilled([3, 5], { temperature: 1, weight: 0.9, scale: 30 }),
  diverged("soft rows, one of one class and one left out", [
    [0.2, 0.5, 0.3],
    [0, 1, 0],
    [0, 0, 0],
    [0.999, 0.001, 0],
  ]),
  columnsOfRecords,
  diverged("70 classes", [Array.from({ length: 70 }, (_, c) => (c + 1) / 2485)]),
];
