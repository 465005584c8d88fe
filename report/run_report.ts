/**
 * The report of a run: made of its event log and one pass of its best checkpoint over the validation photos.
 * @module
 */
import { basename, join, resolve } from "@std/path";
import { openDataset } from "../data/dataset/folder.ts";
import type { PhotoStore } from "../data/dataset/photo_store.ts";
import { decodeSide } from "../data/preprocess.ts";
import { UserError } from "../engine/errors.ts";
import { isFile } from "../engine/files.ts";
import type { Gpu } from "../engine/gpu.ts";
import { loadCheckpoint } from "../model/checkpoint/checkpoint.ts";
import type { Checkpoint } from "../model/checkpoint/encoding.ts";
import { writeFileAtomically } from "../model/checkpoint/files.ts";
import { createClassifier } from "../model/inference/load.ts";
import { requestTunedGpu } from "../model/tuned_gpu.ts";
import { classesOf, decodedOf, keepListed } from "../training/photos/photo_list.ts";
import { openPhotos } from "../training/photos/photo_source.ts";
import { predictPhotos } from "../training/evaluation/predictions.ts";
import { findPath } from "../training/run/run_paths.ts";
import { RunFolder } from "../training/run/run_folder.ts";
import { settle, type SettledOptions } from "../training/options/settle.ts";
import { readRunLog, type RunLog } from "./event_log.ts";
import {
  classifierPictures,
  type ClassifierReport,
  classifierSections,
  reportOn,
} from "./classifier_report.ts";
import { runCurves } from "./curves.ts";
import { page } from "./page.ts";
import { curvesPicture, sheetPicture } from "./pictures.ts";
import { type NetworkPictures, networkSections } from "./photo_sections.ts";
import { fitted, jpegUrl, pngUrl } from "./raster.ts";
import { costSection, progressSection, repeatSection, runHead, validationSection } from "./run_sections.ts";
import { firstFilters, type SeenSample, seenSamples } from "./samples.ts";
import type { Section } from "./markup.ts";
import { html } from "./markup.ts";

/** How a report is made. */
export interface ReportOptions {
  /** Told what is left out and why. */
  readonly onNote?: (text: string) => void;
  /** Told how far the pass over the photos is. */
  readonly onProgress?: (done: number, total: number) => void;
  /** The device; default: a new one. */
  readonly gpu?: Gpu | undefined;
}

/** Photos in one pass. */
const BATCH = 32;

/** Training samples and filters on a page. */
const SAMPLES = 24, FILTERS = 96;

/**
 * Writes `report.html` and its pictures into a run's folder; resolves with the page's path. What cannot be shown, because photos or
 * checkpoint are gone, is left out and said. Throws a `UserError` where the folder holds no run.
 */
export async function writeRunReport(folder: string, options: ReportOptions = {}): Promise<string> {
  const log = await readRunLog(folder);
  if (!log || log.starts.length === 0) {
    throw new UserError(
      `Cannot report on ${folder}: it holds no events.jsonl, which runs write as they go on`,
    );
  }
  const seen = await lookAt(folder, options).catch((error) => {
    if (!(error instanceof UserError)) throw error;
    return { reason: error.message };
  });
  const reason = "reason" in seen ? seen.reason : undefined;
  if (reason !== undefined) options.onNote?.(`The report shows no photos: ${reason}`);
  const whole = "reason" in seen ? undefined : seen;
  const sections = reportSections(log, whole, reason);
  const path = join(folder, "report.html");
  const text = page(runHead(basename(resolve(folder)), log, "ended"), sections);
  await write(path, new TextEncoder().encode(text));
  const pictures = {
    "results.png": await curvesPicture(runCurves(log)),
    ...whole?.valid && await classifierPictures(whole.valid),
    ...whole && whole.network.samples.length > 0 && {
      "train_batch.jpg": await sheetPicture(
        "Training samples as the network saw them",
        whole.network.samples.map(({ url, label }) => ({ url, lines: [label] })),
      ),
    },
  };
  for (const [name, bytes] of Object.entries(pictures)) if (bytes) await write(join(folder, name), bytes);
  return path;
}

async function write(path: string, bytes: Uint8Array): Promise<void> {
  await writeFileAtomically(path, bytes as Uint8Array<ArrayBuffer>);
}

function reportSections(log: RunLog, seen: Seen | undefined, reason: string | undefined): Section[] {
  return [
    ...progressSection(log),
    ...seen?.valid ? classifierSections(seen.valid) : validationSection(log),
    ...seen ? networkSections(seen.network) : [],
    ...reason === undefined ? [] : [{
      id: "missing",
      title: "What is not shown",
      body: html`<p>Photos and what the network makes of them: ${reason}.</p>`,
    }],
    ...costSection(log),
    ...repeatSection(log),
  ];
}

/** What is shown of photos and checkpoint. */
interface Seen {
  /** The validation photos; absent where there are none, or no epoch has ended. */
  readonly valid: ClassifierReport | undefined;
  readonly network: NetworkPictures;
}

async function lookAt(folder: string, { gpu: given, onNote, onProgress }: ReportOptions): Promise<Seen> {
  const run = await RunFolder.open(folder), list = await run.folder.readPhotos();
  const dir = run.paths && await findPath(folder, run.paths.data);
  if (!list || dir === undefined) throw new UserError(`the run's folder of photos is gone`);
  const cacheDir = run.paths && await findPath(folder, run.paths.cache);
  const { options } = run;
  const classes = options.classes ?? classesOf(list);
  const listed = await openDataset(dir, { classes, seed: options.seed, rule: list.rule });
  const dataset = keepListed(listed, list, () => {});
  const best = run.folder.file("best.safetensors"), last = run.folder.file("last.safetensors");
  const path = [best, last].find(isFile);
  if (path === undefined) throw new UserError("the run has no checkpoint yet");
  const checkpoint = await loadCheckpoint(path);
  using stack = new DisposableStack();
  const gpu = given ?? stack.use(await requestTunedGpu());
  const all = Object.values(dataset.splits).flat();
  // All photos, as the run had them: another choice would be another cache.
  using photos = await openPhotos(all, {
    side: decodeSide(checkpoint.card.preprocess),
    cacheDir,
    ...onNote && { onNote },
  });
  const { splits } = decodedOf(dataset, photos);
  const valid = photos.select(splits.valid), train = photos.select(splits.train);
  const { options: settled } = settle(options, train.entries.length);
  return {
    valid: path === best && valid.entries.length > 0
      ? await validationReport(gpu, checkpoint, valid, dir, onProgress)
      : undefined,
    network: await networkPictures(gpu, checkpoint, train, settled),
  };
}

async function validationReport(
  gpu: Gpu,
  checkpoint: Checkpoint,
  valid: PhotoStore,
  dir: string,
  onProgress: ReportOptions["onProgress"],
): Promise<ClassifierReport> {
  const classifier = await createClassifier(checkpoint, { gpu, maxBatch: BATCH });
  try {
    const predictions = await predictPhotos(classifier, valid, { ...onProgress && { onProgress } });
    return await reportOn(classifier, valid, predictions, { dir, split: "validation" });
  } finally {
    await classifier.close();
  }
}

async function networkPictures(
  gpu: Gpu,
  { card, tensors }: Checkpoint,
  train: PhotoStore,
  options: SettledOptions,
): Promise<NetworkPictures> {
  const { classes, preprocess } = card;
  const seen = await seenSamples(gpu, train, options, preprocess, SAMPLES);
  const samples = await Promise.all(seen.map(async ({ image, labels }) => ({
    url: await jpegUrl(fitted(image, 128), 82),
    label: labelText(labels, classes),
  })));
  const filters = firstFilters(tensors, preprocess.channels, FILTERS);
  return {
    samples,
    side: seen[0]?.image.width ?? preprocess.width,
    filters: filters && { layer: filters.layer, urls: await Promise.all(filters.pictures.map(pngUrl)) },
  };
}

/** Such as `dog`, or `dog 0.75 + cat 0.25` where two photos were mixed. */
function labelText(labels: SeenSample["labels"], classes: readonly string[]): string {
  const [own, other] = labels;
  if (!other) return classes[own!.label]!;
  if (own!.label === other.label) return `${classes[own!.label]} (mixed)`;
  return labels.map(({ label, share }) => `${classes[label]} ${share.toFixed(2)}`).join(" + ");
}
