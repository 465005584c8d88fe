/** Networks with branches: fusion, gradients, sections, freezing, explanations and weights over the tree. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { UserError } from "../../engine/errors.ts";
import { Plan } from "../../engine/plan.ts";
import { readTensors, writeTensor } from "../../engine/tensor.ts";
import { compactRes, resnet18 } from "../../model/architectures/resnet.ts";
import { decodeCheckpoint, encodeCheckpoint } from "../../model/checkpoint/checkpoint.ts";
import { parseSafetensors } from "../../model/checkpoint/safetensors.ts";
import type { Layer, NamedLayer } from "../../model/layer.ts";
import { batchNorm } from "../../model/layers/batch_norm.ts";
import { conv2d } from "../../model/layers/conv2d.ts";
import { dropout } from "../../model/layers/dropout.ts";
import { flatten } from "../../model/layers/flatten.ts";
import { linear } from "../../model/layers/linear.ts";
import { relu } from "../../model/layers/relu.ts";
import { type Architecture, describeLayers, Network } from "../../model/network.ts";
import { referenceStep } from "../../model/reference_network.ts";
import { residual } from "../../model/residual.ts";
import { sequential } from "../../model/sequential.ts";
import { freezeBlocks, loadWeights } from "../../training/run/transfer.ts";
import { someCheckpoint } from "../formats/checkpoints.ts";
import { checkGradients } from "./gradient_check.ts";
import {
  fillParameters,
  infer,
  noise,
  normalisedError,
  referenceLogits,
  SEED,
  TestStep,
  toNhwc,
  trainingStep,
  withGpu,
} from "./harness.ts";

const input = { c: 3, h: 8, w: 7 };
const values = noise(3 * 3 * 8 * 7, 4), labels = [2, 0, 1];
const named = (layers: readonly Layer[]): NamedLayer[] => layers.map((layer, i) => ({ name: `${i}`, layer }));
const conv = (from: number, to: number, stride = 1) =>
  conv2d({ in: from, out: to, kernel: 3, stride, padding: 1 });

/** Layers on 6x8x7 between a convolution and a linear layer. */
function around(layers: readonly Layer[], features = 6 * 8 * 7): Architecture {
  return {
    name: "around",
    input,
    layers: named([conv(3, 6), ...layers, flatten(), linear({ in: features, out: 4 })]),
  };
}

const NETWORKS: Readonly<Record<string, Architecture>> = {
  "an identity and a ReLU after the sum": around([
    relu(),
    residual({ branch: named([conv(6, 6), relu(), conv(6, 6)]) }),
    relu(),
  ]),
  "an identity without any ReLU": around([residual({ branch: named([conv(6, 6)]) })]),
  "a shortcut that changes the shape": around([
    relu(),
    residual({
      branch: named([conv(6, 9, 2), batchNorm({ channels: 9 }), relu(), conv(9, 9)]),
      shortcut: [{ name: "down", layer: conv2d({ in: 6, out: 9, kernel: 1, stride: 2 }) }],
    }),
    relu(),
  ], 9 * 4 * 4),
  "a block that begins and ends with a ReLU": around([
    residual({ branch: named([relu(), conv(6, 6), relu()]) }),
    relu(),
  ]),
  "blocks within blocks and dropout": around([
    sequential([
      relu(),
      residual({
        branch: [
          { name: "inner", layer: residual({ branch: named([conv(6, 6), dropout({ rate: 0.3 })]) }) },
          { name: "last", layer: sequential([relu(), conv(6, 6)]) },
        ],
      }),
    ]),
    relu(),
  ]),
};

for (const [name, architecture] of Object.entries(NETWORKS)) {
  Deno.test(`a network with ${name} agrees with plain loops, forward and backward`, () =>
    withGpu(async (gpu) => {
      using network = new Network(gpu, architecture);
      fillParameters(network);
      const weights = await network.parameters.read();
      const expected = referenceLogits(architecture, weights, values);
      assert(normalisedError(await infer(network, values), expected) < 2e-6);
      await checkGradients(network, values, labels, 2e-5);
      const { gradients } = referenceStep(architecture, weights, toNhwc(values, 3, 56), labels, {
        seed: SEED,
        step: 0,
      });
      for (const [parameter, gradient] of (await trainingStep(network, values, labels)).gradients) {
        const wanted = gradients.get(parameter)!;
        // A bias before a batch normalisation changes nothing.
        if (Math.hypot(...wanted) < 1e-9) continue;
        const error = normalisedError(gradient, wanted);
        assert(error < 1e-5, `${parameter}: normalised error ${error}`);
      }
    }));
}

Deno.test("a ReLU after a sum, and one inside a branch, cost no launch", () =>
  withGpu((gpu) => {
    using network = new Network(gpu, NETWORKS["an identity and a ReLU after the sum"]!);
    using plan = new Plan(gpu, "inference");
    network.buildForward(plan, network.inputTensor(plan, 2));
    assertEquals(plan.launches.map((l) => l.name), [
      "conv2d_forward.main",
      "conv2d_forward.main",
      "conv2d_forward.main",
      "add.forward",
      "conv2d_forward.main",
    ]);
  }));

Deno.test("the sections of a network with branches hold every launch between input and loss once, in order", () =>
  withGpu((gpu) => {
    using network = new Network(gpu, compactRes({ classes: 3, size: 32 }));
    using plan = new Plan(gpu, "sections");
    using step = new TestStep(plan, network, 2);
    const loss = 2;
    let end = 0;
    for (const { first, end: last, layer, pass } of step.sections) {
      // Two launches of the loss lie between the passes.
      assert(first === end || first === end + loss, `${layer} ${pass} begins at ${first}, wanted ${end}`);
      end = last;
    }
    assertEquals(end, plan.launches.length);
    const names = step.sections.filter((s) => s.pass === "forward").map((s) => s.layer);
    assert(names.includes("layer2.0.downsample.0") && names.includes("layer2.0"), `${names}`);
    assertEquals(new Set(names).size, names.length);
  }));

Deno.test("a frozen block of a residual network gets no gradient, and nothing below it is computed", () =>
  withGpu(async (gpu) => {
    const architecture = compactRes({ classes: 3, size: 32, dropout: 0 });
    const all = describeLayers(architecture, Infinity).flatMap(({ name, parameters }) =>
      parameters.map((p) => `${name}.${p.name}`)
    );
    const blocks = ["conv1", "bn1", "layer1", "layer2", "layer3.0.conv1"];
    using network = new Network(gpu, architecture, { frozen: freezeBlocks(blocks, all) });
    fillParameters(network);
    const before = await network.parameters.read();
    const { gradients } = await trainingStep(network, noise(2 * 3 * 32 * 32), [1, 2]);
    const got = [...gradients.keys()];
    assert(got.includes("layer3.0.downsample.0.weight") && got.includes("layer3.0.bn1.weight"), `${got}`);
    assert(got.every((name) => !blocks.some((block) => name.startsWith(`${block}.`))), `${got}`);
    const after = await network.parameters.read();
    // Frozen normalisations leave their running statistics alone.
    assertEquals(after.get("layer2.0.bn1.running_mean"), before.get("layer2.0.bn1.running_mean"));
    assert(
      normalisedError(after.get("layer4.0.bn1.running_mean")!, before.get("layer4.0.bn1.running_mean")!) >
        1e-3,
    );
    using plan = new Plan(gpu, "frozen");
    using step = new TestStep(plan, network, 2);
    const backward = step.sections.filter((s) => s.pass === "backward").map((s) => s.layer);
    assert(!backward.some((layer) => /^(conv1|bn1|layer1|layer2)/.test(layer)), `${backward}`);
  }));

Deno.test("a residual network is explained by its last block's output and its gradient", () =>
  withGpu(async (gpu) => {
    const architecture = compactRes({ classes: 4, size: 64 });
    using network = new Network(gpu, architecture);
    fillParameters(network);
    using plan = new Plan(gpu, "explanation");
    const x = network.inputTensor(plan, 1), dLogits = plan.tensor([1, 1, 1, 4]);
    const built = network.buildExplanation(plan, x, dLogits);
    await plan.compile();
    writeTensor(gpu, x, toNhwc(noise(3 * 64 * 64), 3, 64 * 64));
    writeTensor(gpu, dLogits, Float32Array.of(0.5, -1, 0, 2));
    plan.run();
    assertEquals(built.features.shape, [1, 2, 2, 192]);
    const [features, gradient] = await readTensors(gpu, [built.features, built.gradient]);
    assert(features.every((v) => v >= 0) && features.some((v) => v > 0));
    // Behind the block lie an average over 2x2 and a linear layer: the gradient of each feature is a quarter of its weights'.
    const { "fc.weight": fc } = Object.fromEntries(await network.parameters.read(["fc.weight"]));
    const wanted = gradient.map((_, i) =>
      [0.5, -1, 0, 2].reduce((sum, weight, k) => sum + weight * fc![k * 192 + i % 192]!, 0) / 4
    );
    assert(normalisedError(gradient, wanted) < 1e-6);
  }));

Deno.test("layers within a block can be explained: the end of its branch has the gradient of their sum, and nothing below is asked for one", () =>
  withGpu(async (gpu) => {
    using network = new Network(gpu, compactRes({ classes: 4, size: 64 }));
    fillParameters(network);
    const explained = async (layer: string) => {
      using plan = new Plan(gpu, "explanation");
      const x = network.inputTensor(plan, 1), dLogits = plan.tensor([1, 1, 1, 4]);
      const built = network.buildExplanation(plan, x, dLogits, layer);
      await plan.compile();
      writeTensor(gpu, x, toNhwc(noise(3 * 64 * 64), 3, 64 * 64));
      writeTensor(gpu, dLogits, Float32Array.of(0.5, -1, 0, 2));
      plan.run();
      const [features, gradient] = await readTensors(gpu, [built.features, built.gradient]);
      return { shape: built.features.shape, features, gradient };
    };
    const sum = await explained("layer3.0"), branch = await explained("layer3.0.bn2");
    const skip = await explained("layer3.0.downsample.1");
    assertEquals(branch.gradient, sum.gradient);
    assertEquals(skip.gradient, sum.gradient);
    assert(normalisedError(branch.features.map((v, i) => v + skip.features[i]!), sum.features) < 1e-6);
    const inner = await explained("layer3.0.conv1");
    assertEquals(inner.shape, [1, 4, 4, 128]);
    assert(inner.features.some((v) => v < 0) && inner.gradient.some((v) => v !== 0));
    assertThrows(
      () => network.buildExplanation(new Plan(gpu, "none"), undefined!, undefined!, "fc"),
      UserError,
      "Cannot explain by layer fc: compact-res has maps in conv1, bn1",
    );
  }));

Deno.test("paths of different shapes are refused with both", () => {
  const block = residual({ branch: named([conv(6, 9)]) });
  assertThrows(
    () => block.describe({ c: 6, h: 8, w: 7 }, 1e9),
    RangeError,
    "its branch gives [9, 8, 7], its shortcut [6, 8, 7]",
  );
  assertThrows(
    () => describeLayers(around([residual({ branch: [{ name: "deep", layer: conv(5, 6) }] })]), 1e9),
    UserError,
    "weights expect 5 (layer 1.deep of around)",
  );
});

Deno.test("resnet18's weights with torchvision's names load whole, their step counters passed over", () =>
  withGpu(async (gpu) => {
    using source = new Network(gpu, resnet18({ classes: 6, size: 33 }));
    const bytes = encodeCheckpoint(await someCheckpoint(source));
    // PyTorch's state_dict has 122 entries: 62 parameters, 40 running statistics, 20 counters.
    const names = [...parseSafetensors(bytes).tensors.keys()];
    assertEquals(names.length, 122);
    assertEquals(names.filter((name) => name.endsWith("num_batches_tracked")).length, 20);
    assert(names.includes("layer2.0.downsample.1.num_batches_tracked"));
    using network = new Network(gpu, resnet18({ classes: 3, size: 33 }));
    network.parameters.initialise(2);
    const { tensors } = decodeCheckpoint(bytes);
    const report = loadWeights(network, tensors);
    assertEquals(report.loaded.length, 100);
    assertEquals(report.missing, ["fc.weight", "fc.bias"]);
    const read = await network.parameters.read(["layer4.1.bn2.running_var"]);
    assertEquals(read.get("layer4.1.bn2.running_var"), tensors.get("layer4.1.bn2.running_var")!.data);
  }));
