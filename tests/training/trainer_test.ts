import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { defaultPreprocess } from "../../data/preprocess.ts";
import type { Gpu } from "../../engine/gpu.ts";
import { architecture } from "../../model/architectures/registry.ts";
import { Network } from "../../model/network.ts";
import { product } from "../../model/parameters.ts";
import { readTensor } from "../../engine/tensor.ts";
import { batchMix, type MixOptions } from "../../training/step/mixing.ts";
import { createOptimizer, type OptimizerOptions } from "../../training/step/optimizer.ts";
import { evaluationPhotos } from "../../training/photos/photos.ts";
import { Trainer } from "../../training/step/trainer.ts";
import { withGpu } from "../model/harness.ts";

const SIZE = 67;

/** Noise in two classes. */
const source = {
  entries: Array.from({ length: 8 }, (_, i) => ({ width: SIZE, height: SIZE, label: i % 2 })),
  pixels: (index: number) =>
    Uint8Array.from({ length: 4 * SIZE * SIZE }, (_, i) => (i * (7 + index) + index * 31) % 251),
};

/** A weight after one step on all photos, and that step's loss. */
async function stepOf(gpu: Gpu, batch: number, accumulate: number) {
  using network = new Network(gpu, architecture("compact", { size: SIZE, classes: 2 }));
  network.parameters.initialise(3);
  using optimizer = createOptimizer(network.parameters, { optimizer: "sgd" });
  const preprocess = defaultPreprocess(SIZE), capacity = batch * SIZE * SIZE;
  const options = { batch, accumulate, capacity, preprocess, seed: 1 };
  using trainer = await Trainer.create(network, optimizer, options);
  const all = Uint32Array.from(source.entries.keys());
  trainer.run(evaluationPhotos(source, all, preprocess), source.entries.map(({ label }) => label), 0.1);
  const { loss, losses } = await trainer.metrics();
  return { weight: (await network.parameters.read()).get("features.0.weight")!, loss, step: losses[0]! };
}

Deno.test("a last step of fewer batches than others is the mean over those that it has", () =>
  withGpu(async (gpu) => {
    const whole = await stepOf(gpu, 8, 1), left = await stepOf(gpu, 4, 3);
    assertAlmostEquals(left.loss, whole.loss, 1e-5);
    assertAlmostEquals(left.step, whole.step, 1e-5);
    whole.weight.forEach((w, i) => assertAlmostEquals(left.weight[i]!, w, 1e-6));
  }));

/** Weights after a step on all photos with these options, from biases of 0.1, its loss and the logits it came from. */
async function mixedStep(gpu: Gpu, mix: MixOptions | undefined, optimiser: Partial<OptimizerOptions> = {}) {
  using network = new Network(gpu, architecture("compact", { size: SIZE, classes: 2 }));
  network.parameters.initialise(3);
  for (const { name, spec } of network.parameters.all) {
    if (name.endsWith("bias")) {
      network.parameters.write(name, new Float32Array(product(spec.shape)).fill(0.1));
    }
  }
  using optimizer = createOptimizer(network.parameters, { optimizer: "sgd", ...optimiser });
  const preprocess = defaultPreprocess(SIZE), batch = 9;
  const options = { batch, capacity: batch * SIZE * SIZE, preprocess, seed: 1, mix };
  using trainer = await Trainer.create(network, optimizer, options);
  const all = Uint32Array.from(source.entries.keys());
  trainer.run(evaluationPhotos(source, all, preprocess), source.entries.map(({ label }) => label), 0.1);
  const { losses, accuracy } = await trainer.metrics();
  const logits = await readTensor(gpu, trainer.logits);
  return { weights: await network.parameters.read(), loss: losses[0]!, accuracy, logits };
}

const MIX = { mixup: 1, cutmix: 0, mixProb: 1, mixSwitchProb: 0.5 };

Deno.test("a mixed sample's loss is that of both its labels, by their shares", () =>
  withGpu(async (gpu) => {
    const labels = source.entries.map(({ label }) => label);
    for (const mix of [MIX, { ...MIX, mixup: 0, cutmix: 1 }]) {
      const { loss, logits, accuracy } = await mixedStep(gpu, mix);
      const { labelShare } = batchMix(mix, 1, 0, { width: SIZE, height: SIZE })!;
      assert(labelShare > 0.02 && labelShare < 0.98, `${labelShare}`);
      let wanted = 0, hits = 0;
      labels.forEach((label, n) => {
        const row = logits.slice(2 * n, 2 * n + 2), partner = labels[labels.length - 1 - n]!;
        const sum = Math.log(row.reduce((s, v) => s + Math.exp(v), 0));
        wanted += labelShare * (sum - row[label]!) + (1 - labelShare) * (sum - row[partner]!);
        hits += Number((row[0]! >= row[1]! ? 0 : 1) === (labelShare > 0.5 ? label : partner));
      });
      // The batch has room for nine, and its last row counts for nothing.
      assertAlmostEquals(loss, wanted / labels.length, 1e-5);
      assertEquals(accuracy, hits / labels.length);
    }
  }));

Deno.test("a batch that is not mixed is trained on as without mixing, and one that is mixed is not", () =>
  withGpu(async (gpu) => {
    const plain = await mixedStep(gpu, undefined), spared = await mixedStep(gpu, { ...MIX, mixProb: 1e-9 });
    assertAlmostEquals(spared.loss, plain.loss, 1e-6);
    for (const [name, values] of plain.weights) {
      values.forEach((w, i) => assertAlmostEquals(spared.weights.get(name)![i]!, w, 1e-6, name));
    }
    const mixed = await mixedStep(gpu, MIX), first = plain.weights.get("features.0.weight")!;
    assert(mixed.weights.get("features.0.weight")!.some((w, i) => Math.abs(w - first[i]!) > 1e-4));
  }));

Deno.test("weight decay on matrices leaves biases as they would be without it", () =>
  withGpu(async (gpu) => {
    for (const optimizer of ["sgd", "adamw"] as const) {
      const weights = async (weightDecay: number, weightDecayOn?: "all" | "matrices") =>
        (await mixedStep(gpu, undefined, { optimizer, weightDecay, weightDecayOn })).weights;
      const none = await weights(0), all = await weights(0.5), matrices = await weights(0.5, "matrices");
      for (const [name, values] of none) {
        const same = (other: Map<string, Float32Array>) => values.every((w, i) => w === other.get(name)![i]);
        assertEquals([same(all), same(matrices)], [false, !name.endsWith("weight")], `${optimizer} ${name}`);
        if (name.endsWith("weight")) assertEquals(matrices.get(name), all.get(name));
      }
    }
  }));
