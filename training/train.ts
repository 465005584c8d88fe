/**
 * From options to a finished run: opens the data, makes the network, trains.
 * @module
 */
import { basename } from "@std/path";
import { type Dataset, openDataset, requireBatch } from "../data/folder.ts";
import { ensureShapes } from "../data/shapes.ts";
import { trainingBatchCount } from "../data/sampler.ts";
import { Gpu } from "../engine/gpu.ts";
import { architecture } from "../model/alexnet.ts";
import { decodeSide, defaultPreprocess } from "../model/card.ts";
import { Network } from "../model/network.ts";
import type { Evaluation } from "./evaluate.ts";
import type { Reporter } from "./events.ts";
import type { RunOptions } from "./options.ts";
import { openPhotos } from "./photos.ts";
import { runTraining } from "./run.ts";
import { newRunPath, RunFolder } from "./run_folder.ts";

/** Where a run's files go and come from; none of it changes the result. */
export interface TrainPlaces {
  /** Folder of the run; default: a new one under `runs/`. */
  readonly out?: string | undefined;
  /** Decoding threads. */
  readonly workers?: number | undefined;
}

/** Runs training as `options` say. Resolves with the best checkpoint's result, or undefined if stopped or untested. */
export async function train(
  options: RunOptions,
  places: TrainPlaces,
  report: Reporter,
  signal?: AbortSignal,
): Promise<Evaluation | undefined> {
  // The architecture is built first: an unknown name should not wait for the data.
  architecture(options.model, { classes: 2, size: options.size });
  const dataset = await openData(options, report);
  requireBatch(dataset, options.batchSize);
  const preprocess = defaultPreprocess(options.size);
  using gpu = await Gpu.request();
  using network = new Network(
    gpu,
    architecture(options.model, { classes: dataset.classes.length, size: options.size }),
  );
  network.parameters.initialise(options.seed);
  const out = places.out ?? newRunPath(dataset.name, options.model);
  const folder = await RunFolder.create(out, options);
  const { train, valid, test } = dataset.splits;
  const perEpoch = trainingBatchCount(train.length, options.batchSize);
  const steps = options.steps ?? options.epochs * perEpoch;
  report({
    event: "start",
    adapter: gpu.name,
    model: options.model,
    parameters: network.parameters.count,
    data: options.data ? basename(options.data) : "shapes",
    split: dataset.origin,
    classes: dataset.classes,
    images: { train: train.length, valid: valid.length, test: test.length },
    epochs: Math.ceil(steps / perEpoch),
    steps,
    out,
  });
  const open = (what: string, samples: typeof train) =>
    openPhotos(samples, {
      side: decodeSide(preprocess),
      workers: places.workers,
      onProgress: (done, total) =>
        report({ event: "progress", what: `Decoding ${what} images`, done, total }),
      onSkipped: (path, reason) => report({ event: "note", text: `Left out ${path}: ${reason}` }),
    });
  const data = {
    train: await open("training", train),
    valid: await open("validation", valid),
    test: await open("test", test),
  };
  const card = {
    model: options.model,
    classes: [...dataset.classes],
    preprocess,
    parameters: network.parameters.count,
  };
  return await runTraining(network, data, options, card, folder, report, signal);
}

async function openData(options: RunOptions, report: Reporter): Promise<Dataset> {
  const { classes, seed } = options;
  if (options.data !== undefined) return await openDataset(options.data, { classes, seed });
  const dir = await ensureShapes(undefined, {
    onProgress: (done, total) => report({ event: "progress", what: "Drawing shapes", done, total }),
  });
  return await openDataset(dir, { classes, seed });
}
