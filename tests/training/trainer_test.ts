import { assertAlmostEquals } from "@std/assert";
import { defaultPreprocess } from "../../data/preprocess.ts";
import type { Gpu } from "../../engine/gpu.ts";
import { architecture } from "../../model/architectures/registry.ts";
import { Network } from "../../model/network.ts";
import { createOptimizer } from "../../training/optimizer.ts";
import { evaluationPhotos } from "../../training/photo_source.ts";
import { Trainer } from "../../training/trainer.ts";
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
