import { UserError } from "../../engine/errors.ts";
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { compact } from "../../model/architectures/compact.ts";
import { conv2d } from "../../model/layers/conv2d.ts";
import { flatten } from "../../model/layers/flatten.ts";
import { linear } from "../../model/layers/linear.ts";
import { maxPool } from "../../model/layers/max_pool.ts";
import { relu } from "../../model/layers/relu.ts";
import { type Architecture, describeLayers, Network } from "../../model/network.ts";
import { infer, noise, normalisedError, referenceLogits, trainingStep, withGpu } from "./harness.ts";
import { checkGradients } from "./gradient_check.ts";

/** Odd sizes, groups, padding, overlapping pooling, a ReLU that nothing fuses, two linear layers. */
const odd: Architecture = {
  name: "odd",
  input: { c: 3, h: 21, w: 17 },
  layers: [
    { name: "0", layer: conv2d({ in: 3, out: 10, kernel: 5, stride: 2, padding: 1 }) },
    { name: "1", layer: relu() },
    { name: "2", layer: maxPool({ kernel: 3, stride: 2 }) },
    { name: "3", layer: relu() },
    { name: "4", layer: conv2d({ in: 10, out: 6, kernel: 3, padding: 1, groups: 2 }) },
    { name: "5", layer: maxPool({ kernel: 2, stride: 2, padding: 1 }) },
    { name: "6", layer: flatten() },
    { name: "7", layer: linear({ in: 36, out: 37 }) },
    { name: "8", layer: relu() },
    { name: "9", layer: linear({ in: 37, out: 5 }) },
  ],
};

Deno.test("compact has 111,267 parameters at three classes and PyTorch's names", () =>
  withGpu((gpu) => {
    using network = new Network(gpu, compact({ classes: 3 }));
    assertEquals(network.parameters.count, 111_267);
    assertEquals(network.output, { c: 3, h: 1, w: 1 });
    assertEquals(network.parameters.all.map(({ name, spec }) => `${name} ${spec.shape}`), [
      "features.0.weight 16,3,3,3",
      "features.0.bias 16",
      "features.3.weight 32,16,3,3",
      "features.3.bias 32",
      "features.5.weight 64,32,3,3",
      "features.5.bias 64",
      "features.7.weight 128,64,3,3",
      "features.7.bias 128",
      "classifier.1.weight 3,4608",
      "classifier.1.bias 3",
    ]);
  }));

Deno.test("an input that a layer cannot take is refused with the layer's name", () => {
  const describe = (h: number) => () => describeLayers({ ...odd, input: { c: 3, h, w: 17 } }, 2 ** 27);
  describe(21)();
  assertThrows(describe(6), UserError, "3x3 windows with stride 2 and padding 0 need more (layer 2 of odd)");
  assertThrows(describe(40), UserError, "weights expect 36 features (layer 7 of odd)");
});

Deno.test("a network's logits are those of plain loops, in every mode", () =>
  withGpu(async (gpu) => {
    using network = new Network(gpu, odd);
    network.parameters.initialise(3);
    const weights = await network.parameters.read();
    for (const batch of [1, 3]) {
      const input = noise(batch * 3 * 21 * 17, batch);
      const expected = referenceLogits(odd, weights, input);
      assert(normalisedError(await infer(network, input), expected) < 2e-6);
      const { logits } = await trainingStep(network, input, Array(batch).fill(1));
      assert(normalisedError(logits, expected) < 2e-6);
    }
  }));

Deno.test("a network's gradients are those of finite differences", () =>
  withGpu(async (gpu) => {
    using network = new Network(gpu, odd);
    network.parameters.initialise(5);
    await checkGradients(network, noise(2 * 3 * 21 * 17), [4, 0], 1e-5);
  }));

Deno.test("compact's gradients are those of finite differences", () =>
  withGpu(async (gpu) => {
    using network = new Network(gpu, compact({ classes: 4, size: 67 }));
    network.parameters.initialise(2);
    await checkGradients(network, noise(2 * 3 * 67 * 67), [3, 1], 1e-5);
  }));

Deno.test("a network on a device of the least limits, with and without subgroups, gives the same numbers", async () => {
  const input = noise(2 * 3 * 21 * 17);
  const results: Float32Array[] = [];
  for (const options of [{}, { minimumLimits: true }, { minimumLimits: true, noSubgroups: true }]) {
    await withGpu(async (gpu) => {
      using network = new Network(gpu, odd);
      network.parameters.initialise(3);
      const { logits, gradients } = await trainingStep(network, input, [0, 1]);
      results.push(Float32Array.from([...logits, ...[...gradients.values()].flatMap((g) => [...g])]));
    }, options);
  }
  for (const result of results.slice(1)) assert(normalisedError(result, results[0]!) < 2e-6);
});

Deno.test("frozen parameters have no gradient and the others keep theirs", () =>
  withGpu(async (gpu) => {
    const input = noise(2 * 3 * 21 * 17);
    const run = async (frozen: (name: string) => boolean) => {
      using network = new Network(gpu, odd, { frozen });
      network.parameters.initialise(1);
      return (await trainingStep(network, input, [2, 3])).gradients;
    };
    const all = await run(() => false);
    const some = await run((name) => name < "7");
    assertEquals([...all.keys()].sort(), ["0", "4", "7", "9"].flatMap((n) => [`${n}.bias`, `${n}.weight`]));
    assertEquals([...some.keys()], ["7.weight", "7.bias", "9.weight", "9.bias"]);
    for (const [name, gradient] of some) assertEquals(gradient, all.get(name));
  }));

Deno.test("a network loads tensors only if every one is there and fits", () =>
  withGpu(async (gpu) => {
    using network = new Network(gpu, odd);
    network.parameters.initialise(3);
    const values = await network.parameters.read();
    const tensors = new Map(network.parameters.all.map(({ name, spec }) => {
      return [name, { shape: spec.shape, data: values.get(name)! }] as const;
    }));
    using other = new Network(gpu, odd);
    other.load(tensors);
    assertEquals(await other.parameters.read(), values);
    const without = new Map(tensors);
    without.delete("9.bias");
    assertThrows(() => other.load(without), UserError, "9.bias is missing, wanted [5]");
    const flat = { shape: [185], data: new Float32Array(185) };
    const misshapen = new Map([...tensors, ["9.weight", flat] as const]);
    assertThrows(() => other.load(misshapen), UserError, "9.weight has shape [185], wanted [5,37]");
  }));

Deno.test("a network that ends in a ReLU cannot be trained", () =>
  withGpu(async (gpu) => {
    using network = new Network(gpu, { ...odd, layers: odd.layers.slice(0, 9) });
    await assertRejects(
      () => trainingStep(network, noise(3 * 21 * 17), [0]),
      RangeError,
      "last layer is a ReLU",
    );
  }));
