/**
 * Twenty steps of training on photos that are drawn here: the same program in Chromium and on Deno, on whatever driver.
 * @module
 */
import { evaluationMap } from "../../data/augment.ts";
import { trainingBatches } from "../../data/dataset/batches.ts";
import { defaultPreprocess } from "../../data/preprocess.ts";
import type { Gpu } from "../../engine/device.ts";
import { hash } from "../../engine/random.ts";
import { architecture } from "../../model/architectures/registry.ts";
import { Network } from "../../model/network.ts";
import { createOptimizer } from "../../training/step/optimizer.ts";
import { Trainer } from "../../training/step/trainer.ts";

const SIZE = 61, PHOTOS = 12, BATCH = 4, STEPS = 20, CLASSES = 3;

/** A photo of coloured noise; a class each has its own channel. */
function photo(index: number) {
  const data = new Uint8Array(SIZE * SIZE * 4).fill(255);
  for (let i = 0; i < data.length; i++) {
    if (i % 4 !== 3) data[i] = (hash(7, 0x7e57, i, index) >>> 25) + (i % 4 === index % CLASSES ? 128 : 0);
  }
  return data;
}

/** The losses of the steps. */
export async function twentySteps(gpu: Gpu, model: string): Promise<number[]> {
  const preprocess = defaultPreprocess(SIZE), source = { width: SIZE, height: SIZE };
  using network = new Network(gpu, architecture(model, { classes: CLASSES, size: SIZE }));
  network.parameters.initialise(1);
  using optimizer = createOptimizer(network.parameters, { optimizer: "sgd", momentum: 0.9 });
  using trainer = await Trainer.create(network, optimizer, {
    ...{ batch: BATCH, capacity: BATCH * SIZE * SIZE, preprocess, seed: 1 },
  });
  const photos = Array.from({ length: PHOTOS }, (_, i) => ({
    ...{ ...source, data: photo(i), map: evaluationMap(source, preprocess, preprocess.resize) },
  }));
  for (let epoch = 0; trainer.step < STEPS; epoch++) {
    for (const batch of trainingBatches(PHOTOS, BATCH, 1, epoch)) {
      if (trainer.step === STEPS) break;
      const labels = Array.from(batch, (i) => i % CLASSES);
      await trainer.runFirst(Array.from(batch, (i) => photos[i]!), labels, 0.002);
    }
  }
  return [...(await trainer.metrics()).losses];
}
