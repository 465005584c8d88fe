/**
 * From options to a finished run: opens the data, makes the network, trains.
 * @module
 */
import { format as formatBytes } from "@std/fmt/bytes";
import { basename } from "@std/path";
import { type Dataset, openDataset, requireBatch } from "../data/dataset/folder.ts";
import { ensureShapes } from "../data/shapes/shapes.ts";
import type { PhotoStore } from "../data/dataset/photo_store.ts";
import { type Gpu, GpuValidationError } from "../engine/gpu.ts";
import { requestTunedGpu } from "../model/tuned_gpu.ts";
import { tilesId } from "../engine/kernels/matmul/tiles.ts";
import { architecture } from "../model/architectures/registry.ts";
import { loadTensors } from "../model/checkpoint/checkpoint.ts";
import { decodeSide, defaultPreprocess } from "../data/preprocess.ts";
import { type Architecture, describeLayers, Network } from "../model/network.ts";
import type { Evaluation } from "./evaluate.ts";
import type { Reporter } from "./reporter.ts";
import {
  type OptionValues,
  type PlaceOptions,
  type RUN_OPTIONS,
  runLength,
  type RunOptions,
} from "./options.ts";
import { openPhotos, type Resident, ResidentPhotos, wantsResident } from "./photo_source.ts";
import { runTraining } from "./run_loop.ts";
import { newRunPath, RunFolder } from "./run_folder.ts";
import { freezeBlocks, loadWeights, transferLines, transferPreprocess } from "./transfer.ts";

/** Goes on with the run in `path`; `longer` may replace its number of epochs or steps. Else as `train`. */
export async function resumeTraining(
  path: string,
  longer: Partial<Pick<OptionValues<typeof RUN_OPTIONS>, "steps" | "epochs">>,
  places: PlaceOptions,
  report: Reporter,
  signal?: AbortSignal,
): Promise<Evaluation | undefined> {
  const { folder, options: recorded } = await RunFolder.open(path);
  const { steps, epochs } = longer;
  const options = {
    ...recorded,
    ...epochs !== undefined && { epochs, steps: undefined },
    ...steps !== undefined && { steps },
  };
  return await trainIn(options, { ...places, out: path }, report, signal, folder);
}

/** Runs training as `options` say. Resolves with the best checkpoint's result, or undefined if stopped or untested. */
export async function train(
  options: RunOptions,
  places: PlaceOptions,
  report: Reporter,
  signal?: AbortSignal,
): Promise<Evaluation | undefined> {
  return await trainIn(options, places, report, signal);
}

/** `existing` is the folder of a run to go on with. */
async function trainIn(
  options: RunOptions,
  places: PlaceOptions,
  report: Reporter,
  signal: AbortSignal | undefined,
  existing?: RunFolder,
): Promise<Evaluation | undefined> {
  // The architecture is built first, and the device opened: an unknown name or a missing driver should not wait for the data.
  networkOf(options, 2);
  using gpu = await requestTunedGpu({ onNote: (text) => report({ event: "note", text }) });
  const dataset = await openData(options, report);
  requireBatch(dataset, options.batchSize * options.accumulate);
  // A run that goes on has its weights in its state; the file still says how photos become input.
  const start = options.weights === undefined ? undefined : await loadTensors(options.weights);
  const preprocess = start
    ? transferPreprocess(start.metadata, options.size)
    : defaultPreprocess(options.size);
  const layers = networkOf(options, dataset.classes.length);
  const frozen = options.freeze && freezeBlocks(options.freeze, parameterNames(layers));
  using network = new Network(gpu, layers, frozen ? { frozen } : {});
  network.parameters.initialise(options.seed);
  if (start) {
    for (const text of transferLines(loadWeights(network, start.tensors))) report({ event: "note", text });
  }
  const out = places.out ?? newRunPath(dataset.name, options.model);
  const folder = existing ?? await RunFolder.create(out, options);
  const { train, valid, test } = dataset.splits;
  const { steps, epochs } = runLength(options, train.length);
  report({
    event: "start",
    adapter: gpu.name,
    tiles: tilesId(gpu),
    model: options.model,
    parameters: network.parameters.count,
    data: options.data ? basename(options.data) : "shapes",
    split: dataset.origin,
    classes: dataset.classes,
    images: { train: train.length, valid: valid.length, test: test.length },
    epochs,
    steps,
    out,
  });
  using photos = await openPhotos([...train, ...valid, ...test], {
    side: decodeSide(preprocess),
    cacheDir: places.cache,
    workers: places.workers,
    signal,
    onProgress: (done, total) => report({ event: "progress", what: "Decoding image", done, total }),
    onNote: (text) => report({ event: "note", text }),
  });
  using kept = await keepOnDevice(gpu, photos, places.resident ?? "auto", report);
  const part = (samples: typeof train) => {
    const selected = photos.select(samples);
    return kept ? kept.of(selected) : selected;
  };
  const data = { train: part(train), valid: part(valid), test: part(test) };
  const card = {
    model: options.model,
    classes: [...dataset.classes],
    preprocess,
    parameters: network.parameters.count,
  };
  const { saveEvery } = places, resume = existing !== undefined;
  return await runTraining({ network, data, options, card, folder, report, signal, resume, saveEvery });
}

async function keepOnDevice(gpu: Gpu, photos: PhotoStore, choice: Resident, report: Reporter) {
  if (!wantsResident(choice, gpu, photos)) return undefined;
  try {
    const kept = await ResidentPhotos.upload(gpu, photos);
    report({ event: "note", text: `Photos    ${formatBytes(photos.bytes)} kept in device memory` });
    return kept;
  } catch (error) {
    if (choice === "always" || !(error instanceof GpuValidationError)) throw error;
    report({ event: "note", text: `${error.message}; the photos are read from the cache instead` });
    return undefined;
  }
}

/** The architecture that the options name; throws a `UserError` for an unknown one and for an input too small for it. */
function networkOf({ model, size }: RunOptions, classes: number): Architecture {
  return architecture(model, { classes, size });
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
