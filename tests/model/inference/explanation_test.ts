import { assert, assertEquals, assertThrows } from "@std/assert";
import { Plan } from "../../../engine/plan.ts";
import { readTensors, writeTensor } from "../../../engine/tensor.ts";
import { compact, compactBn } from "../../../model/architectures/compact.ts";
import { batchNorm } from "../../../model/layers/batch_norm.ts";
import { conv2d } from "../../../model/layers/conv2d.ts";
import { flatten } from "../../../model/layers/flatten.ts";
import { linear } from "../../../model/layers/linear.ts";
import { maxPool } from "../../../model/layers/max_pool.ts";
import { relu } from "../../../model/layers/relu.ts";
import { type Architecture, Network } from "../../../model/network.ts";
import {
  fillParameters,
  noise,
  normalisedError,
  referenceLogits,
  toNchw,
  toNhwc,
  withGpu,
} from "../harness.ts";

/** Layers follow the features that are not linear in them, and other convolutions come before. */
function pooled(normalise: boolean): Architecture {
  const layers = [
    conv2d({ in: 3, out: 6, kernel: 3 }),
    relu(),
    conv2d({ in: 6, out: 5, kernel: 3, stride: 2, padding: 1 }),
    ...(normalise ? [batchNorm({ channels: 5 })] : []),
    relu(),
    maxPool({ kernel: 2 }),
    flatten(),
    linear({ in: 5 * 4 * 3, out: 7 }),
    relu(),
    linear({ in: 7, out: 4 }),
  ];
  return {
    name: normalise ? "pooled-bn" : "pooled",
    input: { c: 3, h: 18, w: 13 },
    layers: layers.map((layer, i) => ({ name: `${i}`, layer })),
  };
}

/** Features [C, H, W], their gradient and the logits of one input, for weights of the logits `dLogits`. */
async function explain(network: Network, input: Float32Array, dLogits: readonly number[]) {
  const { gpu, architecture: { input: { c, h, w } } } = network;
  using plan = new Plan(gpu, "test explanation");
  const x = network.inputTensor(plan, 1);
  const weights = plan.tensor([1, 1, 1, dLogits.length]);
  const built = network.buildExplanation(plan, x, weights);
  await plan.compile();
  writeTensor(gpu, x, toNhwc(input, c, h * w));
  writeTensor(gpu, weights, Float32Array.from(dLogits));
  plan.run();
  const [features, gradient, logits] = await readTensors(gpu, [built.features, built.gradient, built.logits]);
  const [, height, width, channels] = built.features.shape as [number, number, number, number];
  const planes = (values: Float32Array) => toNchw(values, channels, height * width);
  const shape = { c: channels, h: height, w: width };
  return { shape, features: planes(features!), gradient: planes(gradient!), logits: logits! };
}

for (const make of [compact, compactBn, () => pooled(false), () => pooled(true)]) {
  const architecture = make({ classes: 4, size: 67 });
  Deno.test(`${architecture.name} is explained by its last features after the ReLU and their gradient`, () =>
    withGpu(async (gpu) => {
      using network = new Network(gpu, architecture);
      fillParameters(network);
      const { c, h, w } = architecture.input;
      const dLogits = [0.5, -1, 0, 2];
      const { shape, features, gradient, logits } = await explain(network, noise(c * h * w), dLogits);

      const after = architecture.layers.findLastIndex(({ layer }) => layer.kind === "batch_norm") + 1 ||
        architecture.layers.findLastIndex(({ layer }) => layer.kind === "conv2d") + 1;
      assertEquals(architecture.layers[after]!.layer.kind, "relu");
      const rest: Architecture = { name: "rest", input: shape, layers: architecture.layers.slice(after + 1) };
      const weights = await network.parameters.read();
      const answer = (values: ArrayLike<number>) => referenceLogits(rest, weights, values);
      // Only the features after the ReLU give these logits with the layers that follow it.
      assert(features.every((value) => value >= 0) && features.some((value) => value === 0));
      assert(normalisedError(logits, answer(features)) < 2e-6);

      const score = (values: ArrayLike<number>) =>
        answer(values).reduce((sum, y, k) => sum + y * dLogits[k]!, 0);
      // A feature of zero may not be the largest of its window by more than the difference, so it is left alone.
      const chosen = [...features.keys()].filter((i) => features[i]! > 1e-2);
      const differences = chosen.map((i) => {
        const moved = (by: number) => score(Float64Array.from(features, (v, k) => k === i ? v + by : v));
        return (moved(1e-4) - moved(-1e-4)) / 2e-4;
      });
      assert(chosen.length > 10);
      assert(normalisedError(chosen.map((i) => gradient[i]!), differences) < 1e-4);
    }));
}

Deno.test("a feature that its ReLU cut off still has a gradient", () =>
  withGpu(async (gpu) => {
    using network = new Network(gpu, compactBn({ classes: 4, size: 67 }));
    fillParameters(network);
    const { features, gradient } = await explain(network, noise(3 * 67 * 67), [1, 0, 0, 0]);
    assert(gradient.some((value, i) => features[i] === 0 && value !== 0));
  }));

Deno.test("a network without a convolution cannot be explained", () =>
  withGpu((gpu) => {
    const layers = [{ name: "0", layer: flatten() }, { name: "1", layer: linear({ in: 12, out: 2 }) }];
    using network = new Network(gpu, { name: "plain", input: { c: 3, h: 2, w: 2 }, layers });
    using plan = new Plan(gpu, "test explanation");
    const x = network.inputTensor(plan, 1);
    const build = () => network.buildExplanation(plan, x, plan.tensor([1, 1, 1, 2]));
    assertThrows(build, RangeError, "Cannot explain plain: it has no convolution");
  }));
