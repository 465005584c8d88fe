/**
 * Training on real photos from the second epoch on, beside training on a batch that lies on the device.
 * @module
 */
import type { Gpu } from "../../engine/gpu.ts";
import { openDataset, requireBatch } from "../../data/dataset/folder.ts";
import { trainingBatches } from "../../data/dataset/sampler.ts";
import { decodeSide, defaultPreprocess } from "../../data/preprocess.ts";
import { createOptimizer } from "../../training/optimizer.ts";
import {
  labelsOf,
  mostPixels,
  openPhotos,
  ResidentPhotos,
  trainingPhotos,
  wantsResident,
} from "../../training/photo_source.ts";
import { Trainer } from "../../training/trainer.ts";
import {
  LEARNING_RATE,
  networkOf,
  ratioOf,
  type Rounds,
  runner,
  type Subject,
  syntheticBatch,
  SyntheticTraining,
  timeRounds,
} from "./steps.ts";

/** Rates with and without photos. */
export interface PhotosRow extends Subject {
  /** Photos of the training split. */
  readonly photos: number;
  /** Where the decoded photos were while training. */
  readonly kept: "device" | "cache" | "memory";
  readonly imagesPerSecond: number;
  readonly syntheticImagesPerSecond: number;
  /** Rate with photos over rate without, the median of the rounds' ratios. */
  readonly share: number;
}

/** Measures in turn; the first epoch, which decodes, is over before. Throws a `DataError` for a folder without photos. */
export async function measurePhotos(
  gpu: Gpu,
  folder: string,
  subject: Omit<Subject, "classes">,
  rounds: Rounds,
  tell: (text: string) => void,
): Promise<PhotosRow> {
  const { batch, size } = subject, preprocess = defaultPreprocess(size);
  const dataset = await openDataset(folder, { seed: 1 });
  requireBatch(dataset, batch);
  const full = { ...subject, classes: dataset.classes.length };
  const samples = dataset.splits.train;
  const open = () => openPhotos(samples, { side: decodeSide(preprocess), onNote: tell });
  (await open()).close();
  // Opened again, so that photos come from where a second run would find them.
  using store = await open();
  // A first epoch has read every photo once, so later ones find them in the system's memory.
  const scratch = new Uint8Array(4 * mostPixels(store));
  store.entries.forEach((_, index) => store.readInto(index, scratch));
  using resident = wantsResident("auto", gpu, store) ? await ResidentPhotos.upload(gpu, store) : undefined;
  const source = resident?.of(store) ?? store;

  using network = networkOf(gpu, full);
  using optimizer = createOptimizer(network.parameters, { optimizer: "sgd" });
  using synthetic = await SyntheticTraining.create(network, optimizer, syntheticBatch(full));
  const capacity = batch * mostPixels(source);
  using trainer = await Trainer.create(network, optimizer, { batch, capacity, preprocess, seed: 1 });
  const batches = endlessBatches(source.entries.length, batch);
  const variation = { seed: 1, augment: "light" } as const;
  const [real, fixed] = await timeRounds([
    async (steps) => {
      for (let i = 0; i < steps; i++) {
        const { value: { epoch, indices } } = batches.next();
        const photos = trainingPhotos(source, indices, epoch, variation, preprocess);
        trainer.run(photos, labelsOf(source, indices), LEARNING_RATE);
      }
      await trainer.metrics();
    },
    runner(gpu, () => synthetic.run(LEARNING_RATE)),
  ], { ...rounds, most: 60 });
  return {
    ...full,
    photos: source.entries.length,
    kept: resident ? "device" : store.origin === "memory" ? "memory" : "cache",
    imagesPerSecond: 1000 * batch / real!.median,
    syntheticImagesPerSecond: 1000 * batch / fixed!.median,
    share: ratioOf(fixed!, real!),
  };
}

/** The batches of the second and all later epochs. */
function* endlessBatches(
  count: number,
  batch: number,
): Generator<{ epoch: number; indices: Uint32Array }, never> {
  for (let epoch = 1;; epoch++) {
    for (const indices of trainingBatches(count, batch, 1, epoch)) yield { epoch, indices };
  }
}
