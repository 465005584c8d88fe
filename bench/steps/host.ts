/**
 * What the host does for a training step, beside what the device does.
 * @module
 */
import type { Gpu } from "../../engine/gpu.ts";
import { submit } from "../../engine/plan.ts";
import { median } from "../../engine/profile.ts";
import { defaultPreprocess } from "../../data/preprocess.ts";
import { PhotoFeed, type PlacedPhoto } from "../../model/inference/photo_feed.ts";
import { createOptimizer } from "../../training/optimizer.ts";
import { Trainer } from "../../training/trainer.ts";
import { LEARNING_RATE, networkOf, type Rounds, type Subject, syntheticBatch, timeRounds } from "./steps.ts";

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
