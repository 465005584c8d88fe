/**
 * Finding a batch size: the largest that fits on the device and is about as fast as any.
 * @module
 */
import { trainingBatches } from "../../data/dataset/batches.ts";
import { GpuValidationError } from "../../engine/device.ts";
import { Network } from "../../model/network.ts";
import { createOptimizer } from "../step/optimizer.ts";
import { labelsOf, trainingPhotos } from "../photos/photos.ts";
import { START } from "./progress.ts";
import type { Reporter } from "./events.ts";
import { trainerOf, type TrainerRun } from "./run.ts";
import type { SettledOptions } from "../options/settle.ts";

/** Images in a batch that are tried, as far as there are photos; a larger one than fits ends the search. */
const TRIED = [16, 32, 64, 128, 256, 512, 1024];

/** Steps that are timed, after one that compiles. */
const STEPS = 3;

/** A rate so much below the highest is about as high: the batch may be larger for it. */
const ABOUT = 0.95;

/** How fast a batch size trains. */
export interface TriedBatch {
  /** Images in a batch. */
  readonly batch: number;
  /** Of training alone, once kernels are compiled. */
  readonly imagesPerSecond: number;
}

/** Finds it and says what was tried; `optionsOf` settles the run's options for a batch size. Throws as `tryBatches` does. */
export async function findBatch(
  run: Omit<TrainerRun, "options">,
  optionsOf: (batch: number) => SettledOptions,
  report: Reporter,
): Promise<number> {
  const tried = await tryBatches(
    run,
    optionsOf,
    (done, total) => report({ event: "progress", what: "Timing batch size", done, total }),
  );
  report({ event: "note", text: batchesText(tried) });
  return bestBatch(tried);
}

/**
 * Times a few steps at each size, on a network of its own, with the run's own photos and augmentation. `optionsOf` settles the run's options
 * for a batch size. Stops where the device has no room, or where two sizes in a row gained nothing.
 */
async function tryBatches(
  run: Omit<TrainerRun, "options">,
  optionsOf: (batch: number) => SettledOptions,
  onProgress: (done: number, total: number) => void = () => {},
): Promise<TriedBatch[]> {
  const photos = run.data.train.entries.length;
  const sizes = photos < TRIED[0]! ? [photos] : TRIED.filter((batch) => batch <= photos);
  const tried: TriedBatch[] = [];
  for (const [done, batch] of sizes.entries()) {
    onProgress(done, sizes.length);
    const imagesPerSecond = await rateOf({ ...run, options: optionsOf(batch) }).catch((error) => {
      if (error instanceof GpuValidationError && tried.length > 0) return undefined;
      throw error;
    });
    if (imagesPerSecond === undefined) break;
    tried.push({ batch, imagesPerSecond });
    const [two, one, now] = tried.slice(-3).map((each) => each.imagesPerSecond);
    if (now !== undefined && Math.max(one!, now) < two! / ABOUT) break;
  }
  onProgress(sizes.length, sizes.length);
  return tried;
}

/** The largest of the sizes whose rate is about the highest. */
export function bestBatch(tried: readonly TriedBatch[]): number {
  const highest = Math.max(...tried.map(({ imagesPerSecond }) => imagesPerSecond));
  return tried.findLast(({ imagesPerSecond }) => imagesPerSecond >= ABOUT * highest)!.batch;
}

/** What was tried and chosen, as a line for people. */
export function batchesText(tried: readonly TriedBatch[]): string {
  const rates = tried.map(({ batch, imagesPerSecond }) => `${batch}: ${imagesPerSecond.toFixed(0)}`).join(
    ", ",
  );
  return `Batch     ${bestBatch(tried)}: the largest that is about as fast as any (${rates} images/s); ` +
    "the learning rate is as for 32 unless --lr says otherwise";
}

async function rateOf(given: TrainerRun): Promise<number> {
  const { gpu, architecture, frozen, groupOf } = given.network, { options } = given;
  using network = new Network(gpu, architecture, { frozen, groupOf });
  network.parameters.initialise(options.seed);
  using optimizer = createOptimizer(network.parameters, options);
  const run = { ...given, network }, { train } = run.data;
  using trainer = await trainerOf(run, { optimizer, average: undefined }, START, options.size);
  const batches = trainingBatches(train.entries.length, options.batchSize, options.seed, 0);
  const step = async (k: number) => {
    const batch = batches[k % batches.length]!;
    const photos = trainingPhotos(train, batch, 0, options, trainer.options.preprocess);
    await trainer.runFirst(photos, labelsOf(train, batch), options.lr);
    return batch.length;
  };
  await step(0);
  await trainer.metrics();
  const from = performance.now();
  let images = 0;
  for (let k = 1; k <= STEPS; k++) images += await step(k);
  await trainer.metrics();
  return images / ((performance.now() - from) / 1000);
}
