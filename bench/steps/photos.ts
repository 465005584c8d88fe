/**
 * Training on photos: from the second epoch on beside a batch that lies on the device, and what the host does for a step.
 * @module
 */
import type { Gpu } from "../../engine/gpu.ts";
import { submit } from "../../engine/plan.ts";
import { median } from "../../engine/profile.ts";
import { PhotoFeed, type PlacedPhoto } from "../../model/inference/photo_feed.ts";
import { openDataset } from "../../data/dataset/folder.ts";
import { requireBatch } from "../../data/dataset/requirements.ts";
import { trainingBatches } from "../../data/dataset/batches.ts";
import { decodeSide, defaultPreprocess } from "../../data/preprocess.ts";
import { createOptimizer } from "../../training/step/optimizer.ts";
import { openPhotos, ResidentPhotos, wantsResident } from "../../training/photos/photo_source.ts";
import { labelsOf, mostPixels, trainingPhotos } from "../../training/photos/photos.ts";
import { Trainer } from "../../training/step/trainer.ts";
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

/** What the host does for one training step, in milliseconds. */
export interface HostRow extends Subject {
  /** The call of `Trainer.run` on an idle device: all that the host does. */
  readonly call: number;
  /** Of it, copying the photos into the upload and the upload into the device's memory. */
  readonly upload: number;
  /** The rest: labels, step numbers, encoding, submitting. */
  readonly rest: number;
  /** Launches that are encoded. */
  readonly launches: number;
  /** How much longer a step takes, many in a row, than the same launches submitted again without any other host work. */
  readonly beyond: number;
}

/** Calls whose median is taken. */
const CALLS = 15;

/** Host time of a training step on photos of 340x256, as the cache keeps them. */
export async function measureHost(gpu: Gpu, subject: Subject, rounds: Rounds): Promise<HostRow> {
  const { batch, size } = subject;
  using network = networkOf(gpu, subject);
  using optimizer = createOptimizer(network.parameters, { optimizer: "sgd" });
  const preprocess = defaultPreprocess(size), capacity = batch * PHOTO.width * PHOTO.height;
  using trainer = await Trainer.create(network, optimizer, { batch, capacity, preprocess, seed: 1 });
  using feed = new PhotoFeed(gpu, batch, capacity, preprocess);
  const photos = somePhotos(batch), labels = [...syntheticBatch(subject).labels];
  const call = () => trainer.run(photos, labels, LEARNING_RATE);
  const whole: number[] = [], upload: number[] = [];
  for (let i = -2; i < CALLS; i++) {
    // A device with two submissions under way makes the third call wait; an idle one shows the call alone.
    await gpu.settle();
    const start = performance.now();
    call();
    const between = performance.now();
    await trainer.metrics();
    const again = performance.now();
    feed.write(photos);
    const end = performance.now();
    // The first calls still allocate.
    if (i >= 0) {
      whole.push(between - start);
      upload.push(end - again);
    }
    submit(gpu, []);
  }
  const again = () => submit(gpu, [trainer.plan, trainer.update]);
  const [full, alone] = await timeRounds([
    async (steps) => {
      for (let i = 0; i < steps; i++) call();
      await trainer.metrics();
    },
    async (steps) => {
      for (let i = 0; i < steps; i++) again();
      await trainer.metrics();
    },
  ], { ...rounds, most: 32 });
  return {
    ...subject,
    call: median(whole),
    upload: median(upload),
    rest: median(whole.map((ms, i) => ms - upload[i]!)),
    launches: trainer.plan.launches.length + trainer.update.launches.length,
    beyond: median(full!.milliseconds.map((ms, i) => ms - alone!.milliseconds[i]!)),
  };
}

const PHOTO = { width: 340, height: 256 };

function somePhotos(count: number): PlacedPhoto[] {
  const bytes = PHOTO.width * PHOTO.height * 4;
  return Array.from({ length: count }, (_, n) => ({
    ...PHOTO,
    data: new Uint8Array(bytes).map((_, i) => (i * 31 + n * 7) & 0xff),
    map: [1, 0, 58, 0, 1, 16],
  }));
}
