/**
 * The photos of a run: found, kept where they are read fastest, cut down to one batch where that is to be learnt by heart.
 * @module
 */
import { format as formatBytes } from "@std/fmt/bytes";
import { type Dataset, openDataset } from "../../data/dataset/folder.ts";
import { otherClassesText } from "../../data/dataset/left_out.ts";
import type { PhotoStore } from "../../data/dataset/photo_store.ts";
import { SPLIT_RULE } from "../../data/dataset/sampler.ts";
import { ensureShapes, SHAPES_FOLDER } from "../../data/shapes/shapes.ts";
import { type Gpu, GpuValidationError } from "../../engine/device.ts";
import { shuffle } from "../../engine/random.ts";
import type { RunOptions } from "../options/options.ts";
import { classesOf, keepListed, type PhotoList } from "../photos/photo_list.ts";
import { type Resident, ResidentPhotos, wantsResident } from "../photos/photo_source.ts";
import type { Reporter } from "./events.ts";
import type { RunFolder } from "./run_folder.ts";
import { BATCH } from "../options/settle.ts";

/** The photos of the options; of a run that goes on, those it began with. */
export async function openData(
  { data, classes, seed }: RunOptions,
  resumed: { readonly folder: RunFolder | undefined; readonly shapes: string | undefined } | undefined,
  list: PhotoList | undefined,
  report: Reporter,
): Promise<Dataset> {
  const note = (text: string) => report({ event: "note", text });
  const existing = resumed?.folder;
  const dir = data ?? await ensureShapes(resumed?.shapes ?? SHAPES_FOLDER, {
    onProgress: (done, total) => report({ event: "progress", what: "Drawing shapes", done, total }),
  });
  const chosen = classes ?? (list && classesOf(list));
  const dataset = await openDataset(dir, { classes: chosen, seed, rule: list?.rule ?? ruleOf(existing) });
  if (list) {
    const others = classes ? undefined : await otherClassesText(dataset, "the run");
    if (others) note(`Classes   ${others}`);
    return keepListed(dataset, list, note);
  }
  if (existing) {
    note("Photos    not listed by the version that began this run: it goes on with what there is now");
  }
  return dataset;
}

/** The rule that split the photos of a run: a folder without a list of them is of a version that had the first. */
export function ruleOf(existing: RunFolder | undefined): number {
  return existing ? 1 : SPLIT_RULE;
}

/** The first batch of the first epoch, which is validated, too. */
export function firstBatch<S>(
  train: readonly S[],
  { batchSize = BATCH, seed }: RunOptions,
): { readonly train: S[]; readonly valid: S[]; readonly test: S[] } {
  const batch = Array.from(shuffle(train.length, seed, 0).subarray(0, batchSize), (index) => train[index]!);
  return { train: batch, valid: batch, test: [] };
}

/** Puts the photos into device memory where `choice` means to; undefined where they are read from the cache. */
export async function keepOnDevice(
  gpu: Gpu,
  photos: PhotoStore,
  choice: Resident,
  report: Reporter,
): Promise<ResidentPhotos | undefined> {
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
