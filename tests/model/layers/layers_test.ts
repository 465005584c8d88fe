import { UserError } from "../../../engine/errors.ts";
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { hash, Stream, uniform } from "../../../engine/random.ts";
import type { Gpu } from "../../../engine/gpu.ts";
import { Plan } from "../../../engine/plan.ts";
import { readTensors } from "../../../engine/tensor.ts";
import type { Layer, Shape } from "../../../model/layer.ts";
import { adaptiveAvgPool } from "../../../model/layers/adaptive_avg_pool.ts";
import { batchNorm } from "../../../model/layers/batch_norm.ts";
import { conv2d } from "../../../model/layers/conv2d.ts";
import { dropout } from "../../../model/layers/dropout.ts";
import { flatten } from "../../../model/layers/flatten.ts";
import { linear } from "../../../model/layers/linear.ts";
import { localResponseNorm } from "../../../model/layers/local_response_norm.ts";
import { maxPool } from "../../../model/layers/max_pool.ts";
import { relu } from "../../../model/layers/relu.ts";
import { Network } from "../../../model/network.ts";
import { checkGradients } from "../gradient_check.ts";
import {
  fillParameters,
  infer,
  noise,
  normalisedError,
  referenceLogits,
  SEED,
  TestStep,
  trainingStep,
  withGpu,
} from "../harness.ts";

const input: Shape = { c: 3, h: 13, w: 9 };
const values = noise(3 * 3 * 13 * 9, 4);
const labels = [2, 0, 1];

/** A small network around the layers in question: a convolution to 6x11x7 before, a linear layer after. */
function around(
  gpu: Gpu,
  layers: readonly Layer[],
  after: number,
  frozen?: (name: string) => boolean,
): Network {
  const all = [
    conv2d({ in: 3, out: 6, kernel: 3 }),
    ...layers,
    flatten(),
    linear({ in: after, out: 4 }),
  ];
  const named = all.map((layer, i) => ({ name: `${i}`, layer }));
  const network = new Network(gpu, { name: "around", input, layers: named }, frozen ? { frozen } : {});
  fillParameters(network);
  return network;
}

const CASES: Record<string, [Layer[], number]> = {
  "adaptive average pooling to fewer": [[relu(), adaptiveAvgPool({ size: 3 })], 6 * 9],
  "adaptive average pooling to more": [[adaptiveAvgPool({ size: 8 })], 6 * 64],
  "adaptive average pooling that changes nothing": [[
    relu(),
    maxPool({ kernel: 7, stride: 4 }),
    adaptiveAvgPool({ size: 2 }),
    adaptiveAvgPool({ size: 2 }),
  ], 6 * 4],
  "response normalisation": [[localResponseNorm({ size: 3, alpha: 0.7, beta: 0.6, k: 1.3 })], 6 * 77],
  "response normalisation after a ReLU": [[relu(), localResponseNorm({ size: 5, alpha: 0.5, k: 2 })], 6 * 77],
  "batch normalisation": [[batchNorm({ channels: 6 })], 6 * 77],
  "batch normalisation before a ReLU": [[batchNorm({ channels: 6, eps: 0.1 }), relu()], 6 * 77],
  "batch normalisation after a ReLU": [[relu(), batchNorm({ channels: 6 }), maxPool({ kernel: 2 })], 6 * 15],
  "dropout": [[dropout({ rate: 0.3 })], 6 * 77],
  "two dropouts around a ReLU": [[dropout({ rate: 0.2 }), relu(), dropout({ rate: 0.5 })], 6 * 77],
  "dropout of rate 0": [[relu(), dropout({ rate: 0 })], 6 * 77],
};

for (const [name, [layers, after]] of Object.entries(CASES)) {
  Deno.test(`a network with ${name} agrees with plain loops, forward and backward`, () =>
    withGpu(async (gpu) => {
      using network = around(gpu, layers, after);
      const expected = referenceLogits(network.architecture, await network.parameters.read(), values);
      assert(normalisedError(await infer(network, values), expected) < 2e-6);
      await checkGradients(network, values, labels, 2e-5);
    }));
}

Deno.test("batch normalisation keeps PyTorch's running statistics: momentum, unbiased variance", () =>
  withGpu(async (gpu) => {
    using network = around(gpu, [batchNorm({ channels: 6, momentum: 0.25 })], 6 * 77);
    const before = await network.parameters.read();
    await trainingStep(network, values, labels);
    const after = await network.parameters.read();
    // The convolution's output, by a network that ends there.
    const conv = { name: "c", input, layers: network.architecture.layers.slice(0, 1) };
    const x = referenceLogits(conv, before, values);
    const mean = [], variance = [];
    for (let c = 0; c < 6; c++) {
      const channel = x.filter((_, i) => i % 6 === c), n = channel.length;
      const m = channel.reduce((a, b) => a + b) / n;
      const v = channel.reduce((sum, value) => sum + (value - m) ** 2, 0) / (n - 1);
      mean.push(0.75 * before.get("1.running_mean")![c]! + 0.25 * m);
      variance.push(0.75 * before.get("1.running_var")![c]! + 0.25 * v);
    }
    assert(normalisedError(after.get("1.running_mean")!, mean) < 1e-6);
    assert(normalisedError(after.get("1.running_var")!, variance) < 1e-6);
    assertEquals(network.parameters.count, 6 * 27 + 6 + 6 + 6 + 6 * 77 * 4 + 4);
  }));

Deno.test("frozen batch normalisation uses its running statistics and leaves them alone", () =>
  withGpu(async (gpu) => {
    using network = around(
      gpu,
      [batchNorm({ channels: 6 }), relu()],
      6 * 77,
      (name) => name.startsWith("1."),
    );
    const before = await network.parameters.read();
    const expected = referenceLogits(network.architecture, before, values); // inference mode
    const { logits, gradients } = await trainingStep(network, values, labels);
    assert(normalisedError(logits, expected) < 2e-6);
    assertEquals(await network.parameters.read(), before);
    // The convolution below it still gets its gradient, through statistics that are constants.
    using free = around(gpu, [batchNorm({ channels: 6 }), relu()], 6 * 77);
    const other = (await trainingStep(free, values, labels)).gradients;
    assertEquals([...gradients.keys()].sort(), ["0.bias", "0.weight", "4.bias", "4.weight"]);
    const moved = gradients.get("0.bias")!.reduce((a, b) => a + Math.abs(b), 0);
    const cancelled = other.get("0.bias")!.reduce((a, b) => a + Math.abs(b), 0); // batch statistics absorb a bias
    assert(moved > 1000 * cancelled, `${moved}, ${cancelled}`);
  }));

Deno.test("dropout draws anew each step, alike for the same step, and apart for each layer", () =>
  withGpu(async (gpu) => {
    const architecture = {
      name: "two dropouts",
      input: { c: 8, h: 1, w: 1 },
      layers: [dropout({ rate: 0.25 }), dropout({ rate: 0.25 }), linear({ in: 8, out: 2 })]
        .map((layer, i) => ({ name: `${i}`, layer })),
    };
    using network = new Network(gpu, architecture);
    using plan = new Plan(gpu, "dropout");
    using step = new TestStep(plan, network, 500);
    const outputs = step.sections.filter((s) => s.pass === "forward").slice(0, 2).map((s) => s.output!);
    await plan.compile();
    const run = async (number: number) => {
      step.write(new Float32Array(4000).fill(1), Array(500).fill(0), number);
      plan.run();
      return await readTensors(gpu, outputs);
    };
    const [first, second] = await run(3);
    const kept = first!.filter((v) => v !== 0).length / 4000;
    assert(Math.abs(kept - 0.75) < 4 * Math.sqrt(0.75 * 0.25 / 4000), `kept ${kept}`);
    assert(first!.every((v) => v === 0 || Math.abs(v - 4 / 3) < 1e-6));
    const both = second!.filter((v) => v !== 0).length / 4000;
    assert(Math.abs(both - 0.75 ** 2) < 0.04, `kept by both ${both}`);
    const stream = hash(Stream.dropout, 0, 0);
    assertEquals(
      first!.map((v) => v && 1),
      first!.map((_, i) => Number(uniform(SEED, stream, i, 3) >= 0.25)),
    );
    const [other] = await run(4);
    const same = other!.filter((v, i) => (v === 0) === (first![i] === 0)).length / 4000;
    assert(Math.abs(same - (0.75 ** 2 + 0.25 ** 2)) < 0.04, `alike ${same}`);
    assertEquals((await run(3))[0], first);
  }));

Deno.test("dropout costs no launch in inference", () =>
  withGpu((gpu) => {
    using network = around(gpu, [dropout({ rate: 0.5 }), relu(), dropout({ rate: 0.5 })], 6 * 77);
    using plan = new Plan(gpu, "inference");
    network.buildForward(plan, network.inputTensor(plan, 2));
    assertEquals(plan.launches.map((l) => l.name), [
      "conv2d_forward.main",
      "relu.forward",
      "conv2d_forward.main",
    ]);
  }));

Deno.test("dropout in training without randomness is refused", () =>
  withGpu((gpu) => {
    using network = around(gpu, [dropout({ rate: 0.5 })], 6 * 77);
    using plan = new Plan(gpu, "training");
    const x = network.inputTensor(plan, 2);
    const build = () => network.buildTraining(plan, x, (logits) => logits, { gradients: [] });
    assertThrows(build, UserError, "Cannot build dropout: training needs a tensor (seed, step, 0, 0)");
  }));

Deno.test("layers refuse inputs and options that do not fit", () => {
  const describe = (layer: Layer, shape: Shape) => () => layer.describe(shape, 2 ** 27);
  const refused = (layer: Layer, shape: Shape, words: string) =>
    assertThrows(describe(layer, shape), RangeError, words);
  refused(conv2d({ in: 4, out: 2, kernel: 3 }), input, "input has 3 channels, weights expect 4");
  refused(
    conv2d({ in: 3, out: 2, kernel: 10 }),
    input,
    "input is 13x9, 10x10 windows with stride 1 and padding 0 need more",
  );
  refused(linear({ in: 3, out: 2 }), input, "input is [3, 13, 9], weights expect 3 features");
  refused(linear({ in: 3, out: 2 }), { c: 4, h: 1, w: 1 }, "weights expect 3 features");
  refused(
    maxPool({ kernel: 10 }),
    input,
    "input is 13x9, 10x10 windows with stride 10 and padding 0 need more",
  );
  refused(batchNorm({ channels: 4 }), input, "input has 3 channels, weights expect 4");
  for (const rate of [-0.1, 1, 1.5, NaN]) refused(dropout({ rate }), input, `rate is ${rate}, wanted`);
});

Deno.test("layers say what comes out", () => {
  const output = (layer: Layer, shape = input) => layer.describe(shape, 2 ** 27).output;
  assertEquals(output(conv2d({ in: 3, out: 5, kernel: 3, stride: 2, padding: 1 })), { c: 5, h: 7, w: 5 });
  assertEquals(output(maxPool({ kernel: 3, stride: 2 })), { c: 3, h: 6, w: 4 });
  assertEquals(output(adaptiveAvgPool({ size: 6 })), { c: 3, h: 6, w: 6 });
  const flat = { c: 351, h: 1, w: 1, flattened: { c: 3, h: 13, w: 9 } };
  assertEquals(output(flatten()), flat);
  assertEquals(output(flatten(), flat), flat);
  assertEquals(output(linear({ in: 351, out: 7 }), flat), { c: 7, h: 1, w: 1 });
  for (
    const layer of [
      relu(),
      dropout({ rate: 0.5 }),
      localResponseNorm({ size: 5 }),
      batchNorm({ channels: 3 }),
    ]
  ) {
    assertEquals(output(layer), input);
  }
});

Deno.test("a linear layer split over several tensors gives the numbers of a whole one", () =>
  withGpu(async (gpu) => {
    const split = linear({ in: 6 * 77, out: 100 });
    // As if one binding held 40 columns: three parts of 32 and one of 4.
    const small: Layer = { ...split, describe: (shape) => split.describe(shape, 77 * 8 * 4 * 40) };
    for (const last of [[], [relu(), linear({ in: 100, out: 4 })]]) {
      const layers = [conv2d({ in: 3, out: 6, kernel: 3 }), relu(), flatten(), small, ...last]
        .map((layer, i) => ({ name: `${i}`, layer }));
      using network = new Network(gpu, { name: "split", input, layers });
      assertEquals(network.parameters.get("3.weight").tensors.map((t) => t.shape[3]), [32, 32, 32, 4]);
      network.parameters.initialise(1);
      await checkGradients(network, values, labels, 1e-5);
    }
  }));

Deno.test("a batch of one pixel per channel cannot be normalised in training", () =>
  withGpu(async (gpu) => {
    const layers = [batchNorm({ channels: 3 }), flatten(), linear({ in: 3, out: 2 })]
      .map((layer, i) => ({ name: `${i}`, layer }));
    using network = new Network(gpu, { name: "one pixel", input: { c: 3, h: 1, w: 1 }, layers });
    await assertRejects(() => trainingStep(network, noise(3), [0]), UserError, "training needs at least 2");
  }));
