import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { ALONE, type Communicator } from "../../distributed/communicator.ts";
import { defaultPreprocess } from "../../data/preprocess.ts";
import type { Gpu } from "../../engine/gpu.ts";
import { architecture } from "../../model/architectures/registry.ts";
import { Network } from "../../model/network.ts";
import { createOptimizer } from "../../training/step/optimizer.ts";
import { WeightAverage } from "../../training/step/average.ts";
import { evaluationPhotos } from "../../training/photos/photos.ts";
import { Trainer, type TrainerOptions } from "../../training/step/trainer.ts";
import { inProcessRanks } from "../distributed/in_process.ts";
import { withGpu } from "../model/harness.ts";

const SIZE = 61;

/** Noise in three classes. */
const source = {
  entries: Array.from({ length: 24 }, (_, i) => ({ width: SIZE, height: SIZE, label: i % 3 })),
  pixels: (index: number) =>
    Uint8Array.from({ length: 4 * SIZE * SIZE }, (_, i) => (i * (7 + index) + index * 31) % 251),
};

const preprocess = defaultPreprocess(SIZE);

/** Everything that three steps leave on a rank: weights, statistics, averages, losses; the last step is a short one. */
async function stepsOf(gpu: Gpu, ranks: Communicator, options: Partial<TrainerOptions>) {
  const batch = options.batch ?? 2;
  using network = new Network(gpu, architecture("compact-bn", { size: SIZE, classes: 3 }));
  network.parameters.initialise(3);
  using optimizer = createOptimizer(network.parameters, { optimizer: "sgd" });
  using average = new WeightAverage(network, 0.9);
  using trainer = await Trainer.create(network, optimizer, {
    ...{ batch, average, ranks, preprocess, capacity: batch * SIZE * SIZE, seed: 1, clipNorm: 1 },
    ...options,
  });
  const { microBatches = 1, accumulate = 1 } = options, whole = batch * microBatches * accumulate;
  for (const images of [whole, whole, whole - 3 * batch]) {
    const { first, end } = trainer.shareOf(images);
    const own = Uint32Array.from({ length: end - first }, (_, i) => (first + i) % 24);
    const photos = evaluationPhotos(source, own, preprocess);
    const labels = [...own].map((index) => {
      const { label } = source.entries[index]!, sure = 0.6 + index / 100;
      return options.softLabels
        ? Float32Array.from([0, 1, 2], (c) => c === label ? sure : (1 - sure) / 2)
        : label;
    });
    await trainer.runShared(photos, labels, 0.01, { images, stopping: ranks.rank === 1 && images < whole });
  }
  const { losses, sums } = await trainer.metrics();
  const averaged = [...await average.network.parameters.read()].map(([name, v]) =>
    [`average ${name}`, v] as const
  );
  return {
    values: new Map([...await network.parameters.read(), ...averaged, ["losses", losses]]),
    sums,
  };
}

async function together(gpu: Gpu, size: number, options: Partial<TrainerOptions>) {
  const all = await Promise.all(inProcessRanks(size).map((ranks) => stepsOf(gpu, ranks, options)));
  for (const other of all) assertEquals(other, all[0]!, "every rank has the same bits");
  return all[0]!;
}

for (
  const [name, sizes, options] of [
    ["five micro-batches", [2, 5], { microBatches: 5 }],
    ["eight of two batches each, in buckets of 40 kB", [3], {
      ...{ microBatches: 8, accumulate: 2, bucketBytes: 40_000 },
      softLabels: true,
      mix: { mixup: 1, cutmix: 0, mixProb: 1, mixSwitchProb: 0.5 },
    }],
  ] as const
) {
  Deno.test(`steps shared out to any number of ranks are bitwise those of one: ${name}`, () =>
    withGpu(async (gpu) => {
      const alone = await stepsOf(gpu, ALONE, options);
      for (const size of sizes) assertEquals(await together(gpu, size, options), alone, `${size} ranks`);
    }));
}

Deno.test("the fast sum is the tree's but for the last digits, and equal on all ranks", () =>
  withGpu(async (gpu) => {
    const options = { microBatches: 6 };
    const tree = await stepsOf(gpu, ALONE, options);
    const fast = await together(gpu, 3, { ...options, fastReduce: true, bucketBytes: 100_000 });
    let differs = false;
    for (const [name, values] of tree.values) {
      const other = fast.values.get(name)!;
      differs ||= values.some((v, i) => v !== other[i]);
      const largest = values.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
      const error = values.reduce((most, v, i) => Math.max(most, Math.abs(v - other[i]!)), 0);
      // Sums of six numbers in another order, and three steps that go on from there.
      assert(error <= 1e-5 * Math.max(largest, 0.1), `${name}: ${error} of ${largest}`);
    }
    assert(differs, "the orders are not the same");
  }));

Deno.test("micro-batches are the mean that accumulated batches are, and their statistics move the running ones one by one", () =>
  withGpu(async (gpu) => {
    const { values, sums } = await stepsOf(gpu, ALONE, { microBatches: 4 });
    // The same steps by the trainer's other way, which adds the batches up as they come.
    using network = new Network(gpu, architecture("compact-bn", { size: SIZE, classes: 3 }));
    network.parameters.initialise(3);
    using optimizer = createOptimizer(network.parameters, { optimizer: "sgd" });
    using trainer = await Trainer.create(network, optimizer, {
      ...{ batch: 2, accumulate: 4, preprocess, capacity: 2 * SIZE * SIZE, seed: 1, clipNorm: 1 },
    });
    for (const images of [8, 8, 2]) {
      const all = Uint32Array.from({ length: images }, (_, i) => i);
      trainer.run(
        evaluationPhotos(source, all, preprocess),
        [...all].map((i) => source.entries[i]!.label),
        0.01,
      );
    }
    const metrics = await trainer.metrics();
    assertEquals([metrics.sums.images, metrics.sums.hits], [sums.images, sums.hits]);
    metrics.losses.forEach((loss, i) => assertAlmostEquals(values.get("losses")![i]!, loss, 1e-4));
    for (const [name, wanted] of await network.parameters.read()) {
      if (!name.includes("running")) continue;
      wanted.forEach((v, i) =>
        assertAlmostEquals(values.get(name)![i]!, v, 1e-4 * Math.max(1, Math.abs(v)), name)
      );
    }
  }));
