/**
 * What trained models think of the labels of photos that they were not trained on, for `deno task inspect --checkpoint`.
 * @module
 */
import { join } from "@std/path";
import { DataError, type Dataset, type ListedPhoto } from "../data/dataset/folder.ts";
import { evaluationBatches } from "../data/dataset/batches.ts";
import { RecordedSplit } from "../data/dataset/split_record.ts";
import { nameBelow } from "../data/dataset/walk.ts";
import { findLabelIssues, type SuspectLabels } from "../data/inspection/label_issues.ts";
import { decodeSide } from "../data/preprocess.ts";
import { checkpointAt } from "../model/checkpoint/runs.ts";
import { loadClassifier } from "../model/inference/load.ts";
import { probabilitiesOf } from "../model/inference/inference.ts";
import { requestTunedGpu } from "../model/tuned_gpu.ts";
import { openPhotos } from "../training/photos/photo_source.ts";
import { evaluationPhotos } from "../training/photos/photos.ts";

/** How the folders of `train --folds` are called. */
const FOLD = /^fold-\d+$/;

/** Photos in one pass. */
const BATCH = 32;

/**
 * Judges each photo by the mean of the models that were not trained on it. Throws a `DataError` where a model does not say what it was
 * trained on, has other classes than the data set, or none of them can judge any photo.
 */
export async function suspectLabels(
  checkpoints: readonly string[],
  dataset: Dataset,
  { cacheDir, onNote }: { readonly cacheDir: string; readonly onNote: (text: string) => void },
): Promise<SuspectLabels> {
  const { classes, dir } = dataset, photos = Object.values(dataset.splits).flat();
  const sums = new Map<ListedPhoto, { row: Float64Array; models: number }>();
  using gpu = await requestTunedGpu({ onNote });
  for (const named of (await Promise.all(checkpoints.map(foldsIn))).flat()) {
    const path = await checkpointAt(named, onNote);
    const classifier = await loadClassifier(path, { maxBatch: BATCH, gpu }), { card } = classifier;
    const columns = classes.map((name) => card.classes.indexOf(name));
    const unknown = classes.find((_, k) => columns[k]! < 0);
    if (unknown !== undefined) {
      throw new DataError(`Cannot judge labels: ${path} does not know the class "${unknown}"`);
    }
    if (!card.split) throw new DataError(`Cannot judge labels: ${path} does not say what it was trained on`);
    const { trained } = new RecordedSplit(card.split).sort(photos);
    const judged = photos.filter((photo) => !trained.has(photo));
    // As large as training and evaluation have them.
    using source = await openPhotos(judged, { side: decodeSide(card.preprocess), cacheDir });
    for (const batch of evaluationBatches(judged.length, Math.min(BATCH, classifier.maxBatch))) {
      // Mirrored copies, too: what holds for one view of a photo alone is no reason to doubt its label.
      const photos = evaluationPhotos(source, batch, card.preprocess);
      const logits = await classifier.logits(photos, BATCH, { tta: true });
      logits.forEach((values, i) => {
        const photo = judged[batch[i]!]!, all = probabilitiesOf(values);
        const sum = sums.get(photo) ?? { row: new Float64Array(classes.length), models: 0 };
        columns.forEach((column, k) => sum.row[k]! += all[column]!);
        sum.models++;
        sums.set(photo, sum);
      });
    }
    await classifier.close();
  }
  if (sums.size === 0) {
    throw new DataError(
      "Cannot judge labels: every photo was trained on by every model that was asked; keep some for validation, or train " +
        "several models on different ones",
    );
  }
  const known = [...sums];
  const issues = findLabelIssues(
    known.map(([{ label }]) => label),
    known.map(([, { row, models }]) => row.map((value) => value / models)),
  );
  return {
    judged: known.length,
    trainedOn: photos.length - known.length,
    issues: issues.map(({ index, label, suggested, margin }) => ({
      file: nameBelow(dir, known[index]![0].path),
      class: classes[label]!,
      suggested: classes[suggested]!,
      margin,
    })),
  };
}

/** The runs of a cross-validation that lie in a folder, or the path itself where there are none. */
async function foldsIn(path: string): Promise<readonly string[]> {
  const names = await Array.fromAsync(Deno.readDir(path), ({ name }) => name).catch(() => []);
  const folds = names.filter((name) => FOLD.test(name)).sort();
  return folds.length > 0 ? folds.map((name) => join(path, name)) : [path];
}
