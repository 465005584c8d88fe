/** What ops refuse when they are recorded: in one sentence that names the op, what came and what was wanted. */
import { assertEquals } from "@std/assert";
import * as adaptiveAvgPool from "../../../engine/kernels/adaptive_avg_pool/adaptive_avg_pool.ts";
import * as add from "../../../engine/kernels/add/add.ts";
import * as batchNorm from "../../../engine/kernels/batch_norm/batch_norm.ts";
import * as channelsLast from "../../../engine/kernels/channels_last/channels_last.ts";
import { count, nonFiniteAt } from "../../../engine/kernels/check_finite/check_finite.ts";
import { put, take } from "../../../engine/kernels/columns/columns.ts";
import * as conv2d from "../../../engine/kernels/conv2d/conv2d.ts";
import * as dropout from "../../../engine/kernels/dropout/dropout.ts";
import * as localResponseNorm from "../../../engine/kernels/local_response_norm/local_response_norm.ts";
import * as maxPool from "../../../engine/kernels/max_pool/max_pool.ts";
import { clip } from "../../../engine/kernels/optimizer/global_norm.ts";
import * as rules from "../../../engine/kernels/optimizer/optimizer.ts";
import { windowOf, type WindowOptions, windowOutput } from "../../../engine/kernels/prelude/window.ts";
import {
  lossAndGradient,
  type Target,
} from "../../../engine/kernels/softmax_cross_entropy/softmax_cross_entropy.ts";
import { sum } from "../../../engine/kernels/sum_splits/sum_splits.ts";
import type { Plan } from "../../../engine/plan.ts";
import { assertRefuses, integersOnly, planOnly, shapeOnly } from "../../gpu.ts";

const t = (...shape: number[]) => shapeOnly(shape);
const refuses = (record: (plan: Plan) => unknown, ...words: string[]) =>
  assertRefuses(() => record(planOnly()), ...words);

for (const shape of [[3, 3, 3, 5], [2, 3, 3, 4], [2, 3, 5]]) {
  Deno.test(`adaptive_avg_pool of 2x7x7x5 refuses a gradient of ${shape.join("x")}`, () => {
    refuses(
      (plan) => adaptiveAvgPool.backward(plan, { x: t(2, 7, 7, 5), dy: t(...shape) }),
      "Cannot build adaptive_avg_pool",
      `[${shape}]`,
      "[2,OH,OW,5]",
    );
  });
}

Deno.test("add refuses shapes that differ", () => {
  refuses((plan) => add.forward(plan, { a: t(2, 3), b: t(2, 4) }), "Cannot build add", "[2,3]", "[2,4]");
  refuses((plan) => add.masked(plan, { a: t(2, 3), b: t(2, 3), x: t(3) }), "Cannot build add", "[3]");
  refuses((plan) => add.accumulate(plan, { x: t(2), y: t(3) }), "Cannot build add", "[2]", "[3]");
});

function normalise(x: number[], channels: number, momentum: number | undefined) {
  const c = t(channels), running = { mean: c, variance: c };
  return (plan: Plan) =>
    batchNorm.forward(plan, { x: t(...x), weight: c, bias: c, running, eps: 1e-5, momentum });
}

Deno.test("batch_norm refuses to train on one value per channel, whose variance nobody knows", () => {
  refuses(normalise([1, 1, 1, 5], 5, 0.1), "Cannot build batch_norm", "1 value per channel", "at least 2");
});

Deno.test("batch_norm refuses parameters of other channels and a gradient of another size", () => {
  refuses(normalise([2, 3, 3, 5], 6, 0.1), "Cannot build batch_norm", "5 channels");
  refuses(
    (plan) =>
      batchNorm.backward(plan, {
        x: t(2, 3, 3, 5),
        dy: shapeOnly([2, 3, 4, 5], "dy"),
        weight: t(5),
        saved: { statistics: t(2, 5), partials: undefined },
        training: true,
      }),
    "Cannot build batch_norm",
    "dy is [2,3,4,5]",
  );
});

Deno.test("channels_last refuses tensors that do not hold the same values", () => {
  const y = t(2, 5, 3, 3);
  refuses(
    (plan) => channelsLast.reorder(plan, { x: t(89), y }),
    "x is [89] and y [2,5,3,3]",
    "wanted [N*C*H*W]",
  );
  refuses((plan) => channelsLast.reorder(plan, { x: t(2, 3, 15), y }), "x is [2,3,15]");
});

Deno.test("check_finite refuses a slot that is not there", () => {
  refuses(
    (plan) => count(plan, { x: t(5), results: integersOnly([2, 4]), slot: 2 }),
    "Cannot build check_finite",
    "[3,4]",
  );
  refuses(
    (plan) => count(plan, { x: t(5), results: integersOnly([2, 8]), slot: 0 }),
    "Cannot build check_finite",
  );
});

Deno.test("the first bad value is named by its coordinates, padding included", () => {
  const x = t(2, 3, 3, 5);
  const at = (index: number) => nonFiniteAt(Uint32Array.of(0, 0, 0, 0, 7, x.length - index, 0, 0), 1, x);
  assertEquals(at(0), { count: 7, first: [0, 0, 0, 0] });
  assertEquals(at(72 + 24 + 8 + 4), { count: 7, first: [1, 1, 1, 4] });
  assertEquals(at(7), { count: 7, first: [0, 0, 0, 7] });
  assertEquals(nonFiniteAt(new Uint32Array(8), 1, x), undefined);
});

// A block that ends inside a vector would bring its neighbours' values into its padding.
for (const [first, width] of [[2, 4], [8, 5], [12, 8], [20, 17]] as const) {
  Deno.test(`columns refuses ${width} columns of 18 from ${first} on`, () => {
    const columns = { wide: t(5, 18), narrow: t(5, width), first };
    refuses((plan) => take(plan, columns), "Cannot build columns.take", `${first} to ${first + width}`);
    refuses((plan) => put(plan, columns), "Cannot build columns.put", "of 18");
  });
}

const convolve = (x: number[], weight: number[], options: conv2d.Conv2dOptions) => (plan: Plan) =>
  conv2d.forward(plan, { x: t(...x), weight: t(...weight), bias: t(6), ...options });

Deno.test("conv2d refuses weights for other channels, and groups that do not divide them", () => {
  refuses(
    convolve([1, 9, 9, 3], [3, 3, 96, 6], {}),
    "Cannot build conv2d.forward",
    "input has 3 channels, weights expect 96",
  );
  refuses(
    convolve([1, 9, 9, 4], [3, 3, 4, 6], { groups: 4 }),
    "Cannot build conv2d.forward",
    "4 and 6 channels",
    "4 groups",
  );
});

Deno.test("conv2d refuses a gradient of another shape than the output, and says which that is", () => {
  refuses(
    (plan) =>
      conv2d.inputGrad(plan, { dy: t(1, 7, 7, 6), weight: t(3, 3, 4, 6), x: t(1, 9, 9, 4), stride: 2 }),
    "Cannot build conv2d.input_grad",
    "[1,7,7,6]",
    "[1,4,4,6]",
  );
});

Deno.test("conv2d refuses a kernel that is larger than the padded input, dilation counted", () => {
  refuses(convolve([1, 2, 2, 4], [5, 5, 4, 6], { padding: 1 }), "Cannot build conv2d.forward", "5x5");
  refuses(
    convolve([1, 5, 5, 4], [3, 3, 4, 6], { dilation: 3 }),
    "Cannot build conv2d.forward",
    "dilation 3",
  );
});

Deno.test("conv2d refuses tensors without four dimensions", () => {
  const [x, weight] = [t(9, 9, 4), t(3, 3, 4, 6)];
  refuses(
    (plan) => conv2d.inputGrad(plan, { dy: t(1, 7, 7, 6), weight, x }),
    "Cannot build conv2d.input_grad",
    "four dimensions",
  );
});

Deno.test("conv2d refuses a number of partial sums that its tile cannot make", () => {
  const tile = { core: "split", lanes: 1, group: 8, tm: 4, tn: 4 } as const;
  refuses(
    (plan) =>
      conv2d.weightGrad(plan, {
        x: t(1, 9, 9, 4),
        dy: t(1, 7, 7, 6),
        dWeight: t(3, 3, 4, 6),
        tiles: () => ({ tile, splitK: 12 }),
      }),
    "12 partial sums",
    "multiple of 8",
  );
});

for (
  const [options, words] of [
    [{ kernel: 0 }, "kernel is 0"],
    [{ kernel: 3, stride: [1, 0] }, "stride is 1,0"],
    [{ kernel: 3, dilation: 1.5 }, "dilation is 1.5"],
    [{ kernel: 3, padding: -1 }, "padding is -1"],
  ] satisfies [WindowOptions, string][]
) {
  Deno.test(`a window whose ${words} is refused`, () => {
    assertRefuses(
      () => windowOf("max_pool", options),
      "Cannot build max_pool",
      words,
      "wanted whole numbers",
    );
  });
}

Deno.test("a window's output rounds down, or up where it is told to, but never begins behind the input", () => {
  const size = (options: WindowOptions, h: number, w = h) => windowOutput(windowOf("pool", options), h, w);
  assertEquals(size({ kernel: 3, stride: 2 }, 13), { oh: 6, ow: 6 });
  assertEquals(size({ kernel: 3, stride: 2 }, 12), { oh: 5, ow: 5 });
  assertEquals(size({ kernel: 2, stride: 2 }, 5), { oh: 2, ow: 2 });
  assertEquals(size({ kernel: 3, padding: 1 }, 4), { oh: 4, ow: 4 });
  assertEquals(size({ kernel: 3, stride: 2, ceilMode: true }, 12), { oh: 6, ow: 6 });
  assertEquals(size({ kernel: 2, stride: 3, padding: 1, ceilMode: true }, 5, 6), { oh: 2, ow: 3 });
  assertEquals(size({ kernel: [3, 1], stride: [2, 1], dilation: [2, 1], padding: [0, 1, 2, 3] }, 9, 4), {
    oh: 4,
    ow: 8,
  });
});

Deno.test("max_pool refuses a window that does not fit and padding beyond half a window", () => {
  const pool = (options: WindowOptions) => (plan: Plan) =>
    maxPool.forward(plan, { x: t(1, 2, 2, 4), window: maxPool.poolWindow(options) });
  refuses(pool({ kernel: 3 }), "Cannot build max_pool", "3x3 windows");
  refuses(pool({ kernel: 2, padding: 2 }), "Cannot build max_pool", "padding is 2");
});

Deno.test("max_pool refuses a gradient of another shape, and training with windows too large for a byte", () => {
  const window = maxPool.poolWindow({ kernel: 2 }), argmax = integersOnly([32]);
  refuses(
    (plan) => maxPool.backward(plan, { argmax, dy: t(2, 5, 5, 5), shape: [2, 9, 9, 5], window }),
    "Cannot build max_pool",
    "[2,5,5,5]",
    "[2,4,4,5]",
  );
  const large = { x: t(1, 32, 32, 4), window: maxPool.poolWindow({ kernel: 16 }) };
  refuses((plan) => maxPool.forwardTraining(plan, large), "256 values", "at most 255");
  assertEquals(maxPool.forward(planOnly(), large).shape, [1, 2, 2, 4]);
});

for (const rate of [1, -0.1, 2, NaN]) {
  Deno.test(`dropout refuses a rate of ${rate}`, () => {
    refuses(
      (plan) => dropout.forward(plan, { x: t(4), random: integersOnly([4]), rate, stream: 1 }),
      "Cannot build dropout",
      `rate is ${rate}`,
      "at least 0 and under 1",
    );
  });
}

Deno.test("dropout refuses shapes that differ", () => {
  const drawn = { random: integersOnly([4]), rate: 0.5, stream: 1 };
  refuses(
    (plan) => dropout.backward(plan, { x: t(4), dy: t(5), ...drawn }),
    "Cannot build dropout",
    "[4]",
    "[5]",
  );
});

for (
  const options of [{ size: 0 }, { size: 2.5 }, { size: NaN }, { size: 5, k: 0 }, { size: 5, alpha: -1 }]
) {
  Deno.test(`local_response_norm refuses ${JSON.stringify(options)}`, () => {
    const x = t(2, 3, 3, 7);
    refuses(
      (plan) => localResponseNorm.forward(plan, { x, ...options }),
      "Cannot build local_response_norm",
      "wanted",
    );
  });
}

Deno.test("local_response_norm refuses shapes that differ", () => {
  refuses(
    (plan) => localResponseNorm.backward(plan, { x: t(2, 3, 3, 7), dy: t(2, 3, 3, 8), size: 5 }),
    "Cannot build local_response_norm",
    "[2,3,3,7]",
    "[2,3,3,8]",
  );
});

const update = { parameter: t(5), gradient: t(5), params: t(4) };

for (const betas of [[1, 0.9], [0.9, 1], [-0.1, 0.9], [NaN, 0.9]] as const) {
  Deno.test(`adam refuses betas of ${betas.join(" and ")}`, () => {
    refuses(
      (plan) => rules.adam(plan, { ...update, mean: t(5), square: t(5) }, { betas }),
      "Cannot build adam",
      "wanted at least 0",
    );
  });
}

for (const eps of [0, -1e-8, 1e-60, NaN]) {
  Deno.test(`adam, rmsprop and adagrad refuse an eps of ${eps}, which would make padding NaN`, () => {
    const says = `eps is ${eps}`;
    refuses(
      (plan) => rules.adam(plan, { ...update, mean: t(5), square: t(5) }, { eps }),
      "Cannot build adam",
      says,
    );
    refuses(
      (plan) => rules.rmsprop(plan, { ...update, square: t(5) }, { eps }),
      "Cannot build rmsprop",
      says,
    );
    refuses((plan) => rules.adagrad(plan, { ...update, sum: t(5) }, { eps }), "Cannot build adagrad", says);
  });
}

Deno.test("rmsprop with momentum refuses to go without a velocity", () => {
  refuses((plan) => rules.rmsprop(plan, { ...update, square: t(5) }, { momentum: 0.9 }), "velocity");
});

for (const maxNorm of [0, -1, NaN]) {
  Deno.test(`global_norm refuses to clip at ${maxNorm}`, () => {
    refuses(
      (plan) => clip(plan, { gradients: [t(5000), t(3)], params: t(4), maxNorm }),
      `norm is ${maxNorm}`,
      "above 0",
    );
  });
}

for (const decay of [1, -0.1, NaN]) {
  Deno.test(`ema refuses a decay of ${decay}`, () => {
    refuses(
      (plan) => rules.ema(plan, { parameter: t(5), averaged: t(5), params: t(4) }, { decay }),
      "Cannot build ema",
      `${decay}`,
    );
  });
}

const losses = (target: Target, labelSmoothing = 0) => (plan: Plan) =>
  lossAndGradient(plan, { logits: t(5, 7), classWeights: t(7), target, labelSmoothing });

for (const labelSmoothing of [1, -0.1, NaN]) {
  Deno.test(`softmax_cross_entropy refuses a label smoothing of ${labelSmoothing}`, () => {
    refuses(
      losses({ labels: integersOnly([5]) }, labelSmoothing),
      "Cannot build softmax_cross_entropy",
      `label smoothing is ${labelSmoothing}`,
    );
  });
}

Deno.test("softmax_cross_entropy refuses targets of another batch or of other classes", () => {
  for (const target of [{ labels: integersOnly([4]) }, { soft: t(4, 7) }, { soft: t(5, 6) }]) {
    const shape = "labels" in target ? target.labels!.shape : target.soft!.shape;
    refuses(losses(target as Target), "Cannot build softmax_cross_entropy", `[${shape}]`, "[5,7]");
  }
});

Deno.test("sum_splits refuses parts that are no multiple", () => {
  refuses((plan) => sum(plan, { parts: t(3, 8), y: t(16) }), "Cannot build sum_splits", "multiple of 16");
});
