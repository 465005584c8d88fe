/** The references' gradients against the slopes of their own forward pass, in float64: nothing here needs a device. */
import { assert, assertEquals } from "@std/assert";
import {
  adaptiveAvgPoolBackward,
  adaptiveAvgPoolForward,
} from "../../../engine/kernels/adaptive_avg_pool/reference.ts";
import {
  batchNormBackward,
  batchNormForward,
  batchStatistics,
} from "../../../engine/kernels/batch_norm/reference.ts";
import { conv2dBackward, conv2dForward } from "../../../engine/kernels/conv2d/reference.ts";
import { windowOf } from "../../../engine/kernels/prelude/window.ts";
import {
  localResponseNormBackward,
  localResponseNormForward,
} from "../../../engine/kernels/local_response_norm/reference.ts";
import { maxPoolBackward, maxPoolForward } from "../../../engine/kernels/max_pool/reference.ts";
import { reluBackward, reluForward } from "../../../engine/kernels/relu/reference.ts";
import { softmaxCrossEntropy } from "../../../engine/kernels/softmax_cross_entropy/reference.ts";
import { awayFromZero, distinct, normals } from "../../../engine/verify/sample.ts";

/** Values that are no longer float32. */
const random = (seed: number, size: number) => Float64Array.from(normals(seed, [size]).data);

/** Compares every component of a gradient with the slope of a loss. */
function assertGradient(
  gradient: ArrayLike<number>,
  x: Float64Array,
  loss: (x: Float64Array) => number,
  name: string,
): void {
  const step = 1e-5, scale = Math.max(...Array.from(gradient, Math.abs));
  for (let i = 0; i < x.length; i++) {
    const at = (d: number) => loss(x.with(i, x[i]! + d));
    const slope = (at(step) - at(-step)) / (2 * step);
    assert(
      Math.abs(slope - gradient[i]!) < 1e-7 * scale,
      `${name}[${i}]: gradient ${gradient[i]}, slope ${slope}`,
    );
  }
}

const dot = (a: ArrayLike<number>, b: Float64Array) => b.reduce((sum, v, i) => sum + v * a[i]!, 0);

for (
  const [groups, options] of [
    [1, { stride: 2, padding: 1 }],
    [2, { stride: 2, padding: 1 }],
    [1, { stride: [1, 2], padding: [0, 1, 2, 0] }],
    [2, { dilation: [2, 1], stride: [2, 1], padding: 1 }],
  ] as const
) {
  Deno.test(`conv2d's reference gradients are slopes, ${groups} groups, ${JSON.stringify(options)}`, () => {
    const s = { n: 2, h: 5, w: 4, c: 4, o: 6, groups, ...windowOf("conv2d", { kernel: [3, 2], ...options }) };
    const x = random(1, 2 * 5 * 4 * 4), weight = random(2, 3 * 2 * 4 / groups * 6), bias = random(3, 6);
    const dy = random(4, conv2dForward(x, weight, bias, s).length);
    const { dx, dWeight, dBias } = conv2dBackward(x, weight, dy, s);
    assertGradient(dx, x, (v) => dot(conv2dForward(v, weight, bias, s), dy), "x");
    assertGradient(dWeight, weight, (v) => dot(conv2dForward(x, v, bias, s), dy), "weight");
    assertGradient(dBias, bias, (v) => dot(conv2dForward(x, weight, v, s), dy), "bias");
  });
}

Deno.test("a 1x1 convolution of 1x1 images is a matrix product", () => {
  const x = random(1, 15), weight = random(2, 20), bias = random(3, 4);
  const s = { n: 3, h: 1, w: 1, c: 5, o: 4, groups: 1, ...windowOf("linear", { kernel: 1 }) };
  const wanted = Array.from({ length: 12 }, (_, at) => {
    let sum = bias[at % 4]!;
    for (let i = 0; i < 5; i++) sum += x[Math.floor(at / 4) * 5 + i]! * weight[i * 4 + at % 4]!;
    return sum;
  });
  assertEquals([...conv2dForward(x, weight, bias, s)], wanted);
});

Deno.test("relu's and max_pool's reference gradients are slopes away from their kinks", () => {
  const x = Float64Array.from(awayFromZero(1, [40], 0.1).data), dy = random(2, 40);
  assertGradient(reluBackward(x, dy), x, (v) => dot(reluForward(v), dy), "relu x");
  for (const more of [{ padding: 0 }, { padding: 1 }, { ceilMode: true }, { dilation: 2, padding: 1 }]) {
    const s = { n: 2, h: 6, w: 5, c: 3, ...windowOf("max_pool", { kernel: 3, stride: 2, ...more }) };
    const image = Float64Array.from(distinct(1, [2 * 6 * 5 * 3], 0.5).data);
    const d = random(2, maxPoolForward(image, s).y.length);
    assertGradient(maxPoolBackward(image, d, s), image, (v) => dot(maxPoolForward(v, s).y, d), "max_pool x");
  }
});

Deno.test("max_pool's reference gives a tie's gradient to the first in row-major order", () => {
  const s = { n: 1, h: 2, w: 2, c: 1, ...windowOf("max_pool", { kernel: 2, stride: 2 }) };
  assertEquals([...maxPoolBackward([1, 7, 7, 7], [5], s)], [0, 5, 0, 0]);
});

Deno.test("adaptive_avg_pool's reference gradients are slopes", () => {
  for (const [oh, ow] of [[2, 3], [7, 1], [5, 4]] as const) {
    const s = { n: 2, h: 5, w: 4, c: 2, oh, ow };
    const x = random(1, 80), dy = random(2, 2 * oh * ow * 2);
    assertGradient(
      adaptiveAvgPoolBackward(dy, s),
      x,
      (v) => dot(adaptiveAvgPoolForward(v, s), dy),
      `${oh}x${ow}`,
    );
  }
});

Deno.test("local_response_norm's reference gradients are slopes, also for even windows", () => {
  for (const size of [1, 2, 5, 8]) {
    const o = { size, alpha: 0.8, beta: 0.75, k: 1 };
    const x = random(1, 42), dy = random(2, 42);
    const loss = (v: Float64Array) => dot(localResponseNormForward(v, 7, o), dy);
    assertGradient(localResponseNormBackward(x, dy, 7, o), x, loss, `size ${size}`);
  }
});

for (const training of [true, false]) {
  Deno.test(`batch_norm's reference gradients are slopes in ${training ? "training" : "inference"}`, () => {
    const x = random(1, 40), weight = random(2, 4), bias = random(3, 4), dy = random(4, 40), eps = 1e-3;
    const running = { mean: random(5, 4), variance: random(6, 4).map(Math.abs) };
    const statistics = (v: Float64Array) => training ? batchStatistics(v, 4) : running;
    const { dx, dWeight, dBias } = batchNormBackward(x, weight, dy, statistics(x), eps, training);
    const loss = (v: Float64Array, w: Float64Array, b: Float64Array) =>
      dot(batchNormForward(v, w, b, statistics(v), eps), dy);
    assertGradient(dx, x, (v) => loss(v, weight, bias), "x");
    assertGradient(dWeight, weight, (v) => loss(x, v, bias), "weight");
    assertGradient(dBias, bias, (v) => loss(x, weight, v), "bias");
  });
}

Deno.test("softmax_cross_entropy's reference gradients are slopes with every option", () => {
  const logits = random(1, 20), weights = [0.5, 1, 0, 2, 1.5];
  const soft = Array.from({ length: 20 }, (_, i) => i < 5 ? 0 : (i % 5) / 10);
  for (
    const options of [
      { labels: [0, 1, 4, 3] },
      { labels: [0, -100, 4, 3], smoothing: 0.1 },
      { labels: [0, 1, 4, 3], weights, smoothing: 0.2 },
      { soft, weights, smoothing: 0.1 },
    ]
  ) {
    const { dLogits } = softmaxCrossEntropy(logits, 5, options);
    assertGradient(dLogits, logits, (v) => softmaxCrossEntropy(v, 5, options).loss, "logits");
  }
});
