/**
 * From options to a finished run: opens the data, makes the network, trains.
 * @module
 */
import { basename, join } from "@std/path";
import { DataError } from "../data/dataset/folder.ts";
import { CACHE_FOLDER } from "../data/dataset/cache.ts";
import { requireClasses } from "../data/dataset/requirements.ts";
import { foldOf } from "../data/dataset/folds.ts";
import { datasetLeftOutText } from "../data/dataset/left_out.ts";
import { recordSplit } from "../data/dataset/split_record.ts";
import { ALONE, type Communicator, firstOfHostFirst, fromFirst } from "../distributed/communicator.ts";
import { requestTunedGpu } from "../model/tuned_gpu.ts";
import { tilesId } from "../engine/kernels/matmul/tiles.ts";
import { decodeSide } from "../data/preprocess.ts";
import type { Evaluation } from "./evaluation/evaluate.ts";
import { compileProgress } from "./run/progress.ts";
import type { Reporter } from "./run/events.ts";
import type { OptionValues } from "./options/option.ts";
import { type PlaceOptions, type RUN_OPTIONS, type RunOptions, runOptionsSchema } from "./options/options.ts";
import { findBatch } from "./run/batch_finder.ts";
import { beginningLines, flattery } from "./run/beginning.ts";
import { networkOf, RunNetwork } from "./run/run_network.ts";
import { firstBatch, keepOnDevice, openData, ruleOf } from "./run/run_data.ts";
import { openPhotos } from "./photos/photo_source.ts";
import { decodedOf, listPhotos } from "./photos/photo_list.ts";
import { runTraining } from "./run/run_loop.ts";
import { resumableRun } from "./run/resumable.ts";
import { requireSameRun, requireWork } from "./run/same_run.ts";
import { lockRun, newRunPath, RunFolder } from "./run/run_folder.ts";
import { findPath, recordPath, requirePath, type RunPaths, typedPath } from "./run/run_paths.ts";
import { settle } from "./options/settle.ts";
import { SOFT_LABELS_FILE, softened } from "./run/soft_targets.ts";
import { requireStages } from "./run/stages.ts";
import { RunTargets } from "./run/targets.ts";

/** Goes on with the run that `run` means (see `resumableRun`); `longer` may replace its number of epochs or steps. Else as `train`. */
export async function resumeTraining(
  run: string,
  longer: Partial<Pick<OptionValues<typeof RUN_OPTIONS>, "steps" | "epochs">>,
  places: PlaceOptions,
  report: Reporter,
  signal?: AbortSignal,
  ranks: Communicator = ALONE,
): Promise<Evaluation | undefined> {
  const note = (text: string) => report({ event: "note", text });
  // The first rank alone needs the run's folder; the others hear of it.
  const path = await fromFirst(ranks, async () => {
    const path = await resumableRun(run, note);
    await RunFolder.open(path); // before a lock makes a folder where there is none
    return path;
  });
  using _ = ranks.rank === 0 ? await lockRun(path) : undefined;
  const { options: recorded, paths, begun, diverged } = await fromFirst(ranks, async () => {
    const { folder, ...opened } = await RunFolder.open(path);
    return { ...opened, diverged: folder.diverged };
  });
  const folder = ranks.rank === 0 ? (await RunFolder.open(path)).folder : RunFolder.ofAnother(path);
  const { steps, epochs } = longer;
  const options = {
    ...runOptionsSchema.parse(recorded),
    ...await placesOf(path, recorded, paths, begun),
    ...epochs !== undefined && { epochs, steps: undefined },
    ...steps !== undefined && { steps },
  };
  if (diverged) {
    note(
      `Warning   ${path} diverged when it was last trained: the same steps will diverge again, so rather ` +
        "train another with a lower --lr",
    );
  }
  if (!begun) note(`Resumed   ${path} ended before its first state was saved: it begins anew`);
  const cache = places.cache ?? (paths && await findPath(path, paths.cache));
  return await trainIn(options, { ...places, cache, out: path }, report, signal, ranks, {
    folder: begun ? folder : undefined,
    shapes: paths && await findPath(path, paths.data),
    older: paths === undefined,
    teacher: paths?.distill?.sha256,
  });
}

/** Where the run's photos and weights lie now; throws a `UserError` where they are gone. */
async function placesOf(
  path: string,
  { data, weights, distill, softLabels }: RunOptions,
  paths: RunPaths | undefined,
  begun: boolean,
): Promise<Pick<RunOptions, "data" | "weights" | "distill" | "softLabels">> {
  const find = async (typed: string | undefined, key: "data" | "weights" | "distill", what: string) =>
    typed === undefined ? undefined : await requirePath(path, paths?.[key] ?? typedPath(typed), what);
  return {
    data: await find(data, "data", "folder of photos"),
    weights: await find(weights, "weights", "file of weights"),
    distill: await find(distill, "distill", "teacher"),
    // A run that has begun has its own copy.
    softLabels: softLabels !== undefined && begun ? join(path, SOFT_LABELS_FILE) : softLabels,
  };
}

/** Runs training as `options` say. Resolves with the best checkpoint's result, or undefined if stopped or untested. */
export async function train(
  options: RunOptions,
  places: PlaceOptions,
  report: Reporter,
  signal?: AbortSignal,
  ranks: Communicator = ALONE,
): Promise<Evaluation | undefined> {
  return await trainIn(options, places, report, signal, ranks);
}

/** What is known of a run whose folder is this program's already. */
interface Resumed {
  /** Of a run to go on with; absent: it begins anew. */
  readonly folder: RunFolder | undefined;
  /** Where its photos lie, if it recorded that; used where they are the shapes. */
  readonly shapes: string | undefined;
  /** It was begun by a version that recorded no paths, and trained on whole steps only. */
  readonly older: boolean;
  /** The SHA-256 of its teacher's file, where it has one. */
  readonly teacher: string | undefined;
}

async function trainIn(
  given: RunOptions,
  places: PlaceOptions,
  report: Reporter,
  signal: AbortSignal | undefined,
  ranks: Communicator,
  resumed?: Resumed,
): Promise<Evaluation | undefined> {
  const existing = resumed?.folder;
  const note = (text: string) => report({ event: "note", text });
  // A run that goes on has said it.
  const noteFirst = (lines: readonly string[]) => existing || lines.forEach(note);
  // The architecture is built first, and the device opened: an unknown name or a missing driver should not wait for the data.
  networkOf(given, 2);
  using gpu = await requestTunedGpu({ onNote: note, onCompile: compileProgress(report) });
  requireStages(gpu, given);
  const list = await fromFirst(ranks, () => existing?.readPhotos()) ?? undefined;
  const opened = await firstOfHostFirst(ranks, () => openData(given, resumed, list, report));
  const { fold, folds } = given;
  const dataset = list || !fold || !folds ? opened : foldOf(opened, { fold, folds, seed: given.seed });
  requireClasses(dataset);
  const { classes } = dataset;
  const first = ranks.rank === 0, out = places.out ?? newRunPath(dataset.name, given.model);
  if (!existing && first) await RunFolder.requireFree(out);
  using built = await RunNetwork.open(gpu, given, classes);
  using targets = await RunTargets.open(gpu, given, { classes, expected: resumed?.teacher, ranks });
  const { network, preprocess, startCard } = built, { teacher, softLabels } = targets;
  noteFirst([...targets.lines, ...built.lines]);
  using photos = await firstOfHostFirst(ranks, () =>
    openPhotos(Object.values(dataset.splits).flat(), {
      side: decodeSide(preprocess),
      cacheDir: places.cache,
      workers: places.workers,
      signal,
      onProgress: (done, total) => report({ event: "progress", what: "Decoding image", done, total }),
      onNote: note,
    }));
  if (list && photos.skipped.length > 0) {
    throw new DataError(
      `Cannot go on with ${dataset.dir}: ${photos.skipped.length} of the run's photos can no longer be decoded ` +
        `(${photos.skipped[0]!.path})`,
    );
  }
  const all = decodedOf(dataset, photos);
  requireClasses(all, true);
  const used = given.overfitBatch ? { ...all, splits: firstBatch(all.splits.train, given) } : all;
  const { train, valid, test } = used.splits;
  const measured = places.autoBatch && given.batchSize === undefined && !existing
    ? await fromFirst(ranks, () =>
      findBatch(
        {
          network,
          data: { train: photos.select(train) },
          card: { preprocess, classes: [...classes] },
          teacher,
        },
        (batchSize) => settle({ ...given, batchSize }, train.length).options,
        report,
      ))
    : undefined;
  const { options, length: { steps, epochs }, chosen, notes } = settle(
    {
      ...given,
      wholeStepsOnly: existing && resumed?.older || undefined,
      batchSize: given.batchSize ?? measured,
      microBatches: given.microBatches ?? (ranks.size > 1 ? ranks.size : undefined),
    },
    train.length,
  );
  requireWork(ranks, options);
  const rule = list?.rule ?? ruleOf(existing), photoList = list ?? listPhotos(dataset, used, rule);
  const sha256 = targets.network?.sha256;
  await requireSameRun(ranks, gpu, options, { classes, photoList, teacher: sha256 });
  const leftOut = datasetLeftOutText(used);
  if (leftOut) note(leftOut);
  if (!existing) beginningLines(options, notes, used, photos).forEach(note);
  const { seen, lines } = flattery(used, { start: startCard?.split, teacher: targets.network?.split });
  lines.forEach(note);
  using _ = resumed || !first ? undefined : await lockRun(out);
  const folder = existing ?? (first
    ? await RunFolder.create(out, options, {
      data: recordPath(out, dataset.dir),
      cache: recordPath(out, places.cache ?? CACHE_FOLDER),
      ...given.weights !== undefined && { weights: recordPath(out, given.weights) },
      ...sha256 !== undefined && { distill: { ...recordPath(out, given.distill!), sha256 } },
    })
    : RunFolder.ofAnother(out));
  if (!existing && softLabels) await folder.writeSoftLabels(softLabels.text);
  if (!list) await folder.writePhotos(photoList);
  report({
    event: "start",
    adapter: gpu.name,
    tiles: tilesId(gpu),
    model: options.model,
    parameters: network.parameters.count,
    data: options.data ? basename(options.data) : "shapes",
    split: dataset.origin,
    classes,
    images: { train: train.length, valid: valid.length, test: test.length },
    leftOut: used.leftOut.length,
    epochs,
    steps,
    chosen,
    out,
  });
  using kept = await keepOnDevice(gpu, photos, places.resident ?? "auto", report);
  const part = (samples: typeof train) => {
    const selected = photos.select(samples);
    return kept ? kept.of(selected) : selected;
  };
  const soft = softLabels && softened(part(train), used, softLabels);
  noteFirst(soft?.notes ?? []);
  const data = { train: soft?.source ?? part(train), valid: part(valid), test: part(test) };
  const split = recordSplit(
    used.splits,
    { rule, seed: options.seed, origin: dataset.origin },
    used.undecoded,
    startCard?.split,
  );
  const parameters = network.parameters.count;
  const card = { model: options.model, classes: [...classes], preprocess, parameters, split };
  const { saveEvery } = places, resume = existing !== undefined;
  return await runTraining({
    ...{ network, data, options, card, folder, report, signal, resume, saveEvery, seen, ranks, teacher },
  });
}
