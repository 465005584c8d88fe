/**
 * Cases of the fused loss.
 * @module
 */
import type { Gpu } from "../../device.ts";
import type { Plan } from "../../plan.ts";
import type { Tensor } from "../../tensor.ts";
import { stepParams } from "../optimizer/optimizer.ts";
import { accumulateLoss, IGNORE_LABEL, lossAndGradient, softmax } from "./softmax_cross_entropy.ts";
import { hash } from "../../random.ts";
import { type Case, type Check, compare } from "../../verify/case.ts";
import { slopeDirection } from "../../verify/differentiable.ts";
import { type Output, paddingChecks, runOnce, upload, uploadIntegers } from "../../verify/device.ts";
import { type LossOptions, type LossResult, softmaxCrossEntropy as reference } from "./reference.ts";
import { normals, type Values } from "../../verify/sample.ts";

/** One loss to compute: logits [N, C] and either labels [N] or soft targets [N, C]. */
export interface LossProblem extends Omit<LossOptions, "ignore"> {
  readonly logits: Values;
  /** Default all 1. */
  readonly weights?: Float32Array;
}

/** What the device says about a loss. `result` is [N, 4], see `LossTensors`. */
export interface LossOutputs {
  readonly result: Output;
  readonly dLogits: Output;
  readonly probabilities: Output;
}

/** Computes the losses of several logits with the same targets on the device. */
export async function lossOnDevice(
  gpu: Gpu,
  problem: LossProblem,
  all: readonly Values[],
): Promise<LossOutputs[]> {
  const found = await runOnce(gpu, "loss", (plan) => {
    const tensors = all.map((logits, i) => record(plan, { ...problem, logits }, i));
    return Object.assign({}, ...tensors) as Record<string, Tensor>;
  });
  return all.map((_, i) => ({
    result: found[`result${i}`]!,
    dLogits: found[`dLogits${i}`]!,
    probabilities: found[`probabilities${i}`]!,
  }));
}

function record(plan: Plan, { logits, labels, soft, weights, smoothing }: LossProblem, i: number) {
  const classes = logits.shape[1]!;
  const x = upload(plan, "logits", logits);
  const target = labels
    ? { labels: uploadIntegers(plan, "labels", Uint32Array.from(labels)) }
    : { soft: upload(plan, "targets", { shape: logits.shape, data: Float32Array.from(soft!) }) };
  const data = weights ?? new Float32Array(classes).fill(1);
  const classWeights = upload(plan, "class weights", { shape: [classes], data });
  const { dLogits, result } = lossAndGradient(plan, {
    logits: x,
    target,
    classWeights,
    labelSmoothing: smoothing,
  });
  const probabilities = softmax(plan, { logits: x });
  return { [`result${i}`]: result, [`dLogits${i}`]: dLogits, [`probabilities${i}`]: probabilities };
}

/** Column `c` of the result [N, 4]. */
export function resultColumn({ result }: LossOutputs, c: number): Float32Array {
  return result.values.filter((_, i) => i % 4 === c);
}

/** The mean loss: the sum of the rows' shares. */
export function meanLoss(outputs: LossOutputs): number {
  return resultColumn(outputs, 0).reduce((a, b) => a + b, 0);
}

/** Compares everything the kernels give with what is expected. */
export function lossChecks(found: LossOutputs, expected: LossResult): Check[] {
  const sum = (c: number) => resultColumn(found, c).reduce((a, b) => a + b, 0);
  const { result, dLogits, probabilities } = found;
  return [
    ...paddingChecks({ result, dLogits, probabilities }),
    compare("loss", [sum(0)], [expected.loss]),
    compare("losses of rows", resultColumn(found, 3), expected.rowLosses),
    compare("probabilities", probabilities.values, expected.probabilities),
    compare("dlogits", dLogits.values, expected.dLogits),
    { quantity: "hits (difference)", error: Math.abs(sum(1) - expected.hits), tolerance: 0 },
    { quantity: "rows counted (difference)", error: Math.abs(sum(2) - expected.counted), tolerance: 0 },
  ];
}

async function check(gpu: Gpu, problem: LossProblem): Promise<Check[]> {
  const { logits } = problem, classes = logits.shape[1]!;
  const expected = reference(logits.data, classes, { ...problem, ignore: IGNORE_LABEL });
  const direction = slopeDirection(expected.dLogits);
  // Huge logits are beyond a float32 step.
  const smooth = expected.dLogits.some((d) => d !== 0) && logits.data.every((v) => Math.abs(v) < 100);
  const moved = (sign: number): Values => ({
    shape: logits.shape,
    data: logits.data.map((v, i) => v + sign * 2 ** -6 * direction[i]!),
  });
  const all = smooth ? [logits, moved(1), moved(-1)] : [logits];
  const [found, up, down] = await lossOnDevice(gpu, problem, all);
  const checks = lossChecks(found!, expected);
  if (up && down) {
    const measured = meanLoss(up) - meanLoss(down);
    const predicted = found!.dLogits.values.reduce(
      (s, d, i) => s + d * (all[1]!.data[i]! - all[2]!.data[i]!),
      0,
    );
    checks.push({ quantity: "slope of logits", error: Math.abs(measured / predicted - 1), tolerance: 2e-3 });
  }
  return checks;
}

function loss(name: string, problem: () => LossProblem): Case {
  return { op: "softmax_cross_entropy", name, run: (gpu) => check(gpu, problem()) };
}

function labelsOf(rows: number, classes: number): Uint32Array {
  return Uint32Array.from({ length: rows }, (_, i) => hash(3, 0x7e59, i) % classes);
}

function softOf(rows: number, classes: number): Float32Array {
  const logits = normals(4, [rows, classes], 2).data;
  return Float32Array.from(reference(logits, classes, { labels: labelsOf(rows, classes) }).probabilities);
}

function hard(rows: number, classes: number, scale = 3): { logits: Values; labels: Uint32Array } {
  return { logits: normals(1, [rows, classes], scale), labels: labelsOf(rows, classes) };
}

const positive = (n: number) => normals(5, [n], 0.2, 1).data.map(Math.abs);
const matrix = (rows: number[][]): Values => ({
  shape: [rows.length, rows[0]!.length],
  data: Float32Array.from(rows.flat()),
});

/** Sums of several batches, the history of losses, and the stop that a bad loss causes. */
function accumulation(name: string, batches: readonly Float32Array[], stops: readonly number[]): Case {
  return {
    op: "softmax_cross_entropy",
    name: `totals of ${batches.length} batches, ${name}`,
    async run(gpu) {
      const size = 3;
      const found = await runOnce(gpu, "totals", (plan) => {
        const totals = plan.tensor([4], "totals"), history = plan.tensor([size], "history");
        const all = batches.map((data, i) => {
          const data4 = stepParams({ lr: 0.5, gradScale: 0.25, step: i + 1, stop: 9 });
          const params = upload(plan, "params", { shape: [4], data: data4 });
          const result = upload(plan, "result", { shape: [data.length / 4, 4], data });
          accumulateLoss(plan, { result, params, totals, history });
          return [`params${i}`, params] as const;
        });
        return { totals, history, ...Object.fromEntries(all) } as Record<string, Tensor>;
      });
      const totals = [0, 0, 0, 0], history = [0, 0, 0];
      batches.forEach((data, i) => {
        data.forEach((v, k) => totals[k % 4]! += v);
        history[(i + 1) % size]! += 0.25 * data.reduce((sum, v, k) => k % 4 === 0 ? sum + v : sum, 0);
      });
      const finite = totals.every(Number.isFinite);
      return [
        ...paddingChecks(found),
        ...(finite
          ? [
            compare("totals", found.totals!.values, totals),
            compare("history", found.history!.values, history),
          ]
          : []),
        ...batches.map((_, i) =>
          compare(`params of step ${i + 1}`, found[`params${i}`]!.values, [0.5, 0.25, i + 1, stops[i]!], 0)
        ),
      ];
    },
  };
}

/** Logits that are not finite must give a loss that is not, or nothing would stop. */
function badLogits(name: string, value: number): Case {
  return {
    op: "softmax_cross_entropy",
    name: `a logit of ${name} is seen in the loss`,
    async run(gpu) {
      const logits = normals(1, [5, 7]);
      logits.data[10] = value;
      const labels = labelsOf(5, 7);
      const [found] = await lossOnDevice(gpu, { logits, labels }, [logits]);
      const finite = Number.isFinite(meanLoss(found!));
      return [{ quantity: "finite losses", error: Number(finite), tolerance: 0 }];
    },
  };
}

const rowsOf = (seed: number, rows: number) => normals(seed, [rows, 4]).data.map(Math.abs);

/** Cases of the fused loss. */
export const softmaxCrossEntropyCases: readonly Case[] = [
  loss("5x3", () => hard(5, 3)),
  loss("1x1, one class", () => hard(1, 1)),
  loss("37x257", () => hard(37, 257)),
  loss("7x1000", () => hard(7, 1000)),
  loss("256x1000, large", () => hard(256, 1000)),
  loss("logits of 5000, 5030, 5040 and -1e4", () => ({
    logits: matrix([[5000, 5030, 5040], [-1e4, 0, 5040], [5040, 5000, -1e4], [-1e4, -1e4, -1e4]]),
    labels: Uint32Array.of(0, 0, 2, 1),
  })),
  loss("5x4, label smoothing 0.1", () => ({ ...hard(5, 4), smoothing: 0.1 })),
  loss("9x6, class weights", () => ({ ...hard(9, 6), weights: positive(6) })),
  loss("9x6, class weights and label smoothing 0.2", () => ({
    ...hard(9, 6),
    weights: positive(6),
    smoothing: 0.2,
  })),
  loss("5x7, a class of weight 0", () => ({
    ...hard(5, 7),
    weights: Float32Array.of(0, 1, 0, 1, 1, 1, 1),
    labels: Uint32Array.of(0, 2, 3, 4, 5),
  })),
  loss("7x5, rows ignored", () => ({
    ...hard(7, 5),
    labels: labelsOf(7, 5).map((label, i) => i % 3 === 1 ? IGNORE_LABEL : label),
    smoothing: 0.1,
  })),
  loss("3x4, all rows ignored", () => ({
    logits: normals(1, [3, 4]),
    labels: new Uint32Array(3).fill(IGNORE_LABEL),
  })),
  loss("5x6, soft targets", () => ({ logits: normals(1, [5, 6]), soft: softOf(5, 6) })),
  loss("37x257, soft targets, class weights and label smoothing 0.1", () => ({
    logits: normals(1, [37, 257]),
    soft: softOf(37, 257),
    weights: positive(257),
    smoothing: 0.1,
  })),
  loss("4x3, soft targets, a row left out", () => ({
    logits: normals(1, [4, 3]),
    soft: softOf(4, 3).map((p, i) => i >= 3 && i < 6 ? 0 : p),
  })),
  loss("3x1, soft targets of one class", () => ({
    logits: normals(1, [3, 1]),
    soft: new Float32Array(3).fill(1),
  })),
  accumulation("finite", [rowsOf(1, 1), rowsOf(2, 37), rowsOf(3, 5), rowsOf(4, 8)], [0, 0, 0, 0]),
  accumulation("one NaN", [rowsOf(1, 3), Float32Array.of(NaN, 0, 1, NaN), rowsOf(3, 5)], [0, 1, 1]),
  accumulation("one infinite", [rowsOf(1, 3), Float32Array.of(Infinity, 0, 1, Infinity)], [0, 1]),
  badLogits("NaN", NaN),
  badLogits("Infinity", Infinity),
];
