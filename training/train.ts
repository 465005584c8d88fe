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
import { loadTensors } from "../model/checkpoint.ts";
import { decodeSide, defaultPreprocess } from "../model/card.ts";
import { type Architecture, describeLayers, Network } from "../model/network.ts";
import type { Evaluation } from "./evaluate.ts";
import type { Reporter } from "./events.ts";
import type { RunOptions } from "./options.ts";
import { openPhotos } from "./photos.ts";
import { runTraining } from "./run.ts";
import { newRunPath, RunFolder } from "./run_folder.ts";
import { freezeBlocks, loadWeights, transferLines, transferPreprocess } from "./transfer.ts";

/** Where a run's files go and come from; none of it changes the result. */
export interface TrainPlaces {
  /** Folder of the run; default: a new one under `runs/`. */
  readonly out?: string | undefined;
  /** Decoding processes. */
  readonly workers?: number | undefined;
  /** Folder of the cache of decoded photos. */
  readonly cacheDir?: string | undefined;
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
  const start = options.weights === undefined ? undefined : await loadTensors(options.weights);
  const preprocess = start
    ? transferPreprocess(start.metadata, options.size)
    : defaultPreprocess(options.size);
  using gpu = await Gpu.request();
  const layers = architecture(options.model, { classes: dataset.classes.length, size: options.size });
  const frozen = options.freeze && freezeBlocks(options.freeze, parameterNames(layers));
  using network = new Network(gpu, layers, frozen ? { frozen } : {});
  network.parameters.initialise(options.seed);
  if (start) {
    for (const text of transferLines(loadWeights(network, start.tensors))) report({ event: "note", text });
  }
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
  using photos = await openPhotos([...train, ...valid, ...test], {
    side: decodeSide(preprocess),
    cacheDir: places.cacheDir,
    workers: places.workers,
    signal,
    onProgress: (done, total) => report({ event: "progress", what: "Decoding image", done, total }),
    onNote: (text) => report({ event: "note", text }),
  });
  const data = { train: photos.select(train), valid: photos.select(valid), test: photos.select(test) };
  const card = {
    model: options.model,
    classes: [...dataset.classes],
    preprocess,
    parameters: network.parameters.count,
  };
  return await runTraining(network, data, options, card, folder, report, signal);
}

/** Names of all parameters and statistics of an architecture. */
function parameterNames(layers: Architecture): string[] {
  return describeLayers(layers, Infinity).flatMap(({ name, parameters }) =>
    parameters.map((p) => `${name}.${p.name}`)
  );
}

async function openData(options: RunOptions, report: Reporter): Promise<Dataset> {
  const { classes, seed } = options;
  if (options.data !== undefined) return await openDataset(options.data, { classes, seed });
  const dir = await ensureShapes(undefined, {
    onProgress: (done, total) => report({ event: "progress", what: "Drawing shapes", done, total }),
  });
  return await openDataset(dir, { classes, seed });
}
