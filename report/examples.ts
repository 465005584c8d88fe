/**
 * Photos that say most about a classifier: what it is sure of and wrong, what it is least sure of, and labels that may be wrong.
 * @module
 */
import { evaluationMap } from "../data/augment.ts";
import type { PhotoStore } from "../data/dataset/photo_store.ts";
import { nameBelow } from "../data/dataset/walk.ts";
import type { DecodedImage } from "../data/image/image.ts";
import { findLabelIssues } from "../data/inspection/label_issues.ts";
import type { NetworkClassifier } from "../model/inference/classifier.ts";
import { probabilitiesOf } from "../model/inference/inference.ts";
import { explainedPhoto } from "../model/inference/overlay.ts";
import { logitsOf, type Predictions } from "../training/evaluation/predictions.ts";
import { bestOf } from "./figures.ts";
import { fitted, jpegUrl } from "./raster.ts";

/** A photo and what was made of it. */
export interface Example {
  /** Its name in the folder of photos. */
  readonly file: string;
  /** Its class. */
  readonly label: string;
  /** What it was taken for. */
  readonly predicted: string;
  /** How probable that was said to be, 0 to 1. */
  readonly confidence: number;
  /** How probable its own class was said to be. */
  readonly own: number;
  /** The photo, a data URL. */
  readonly photo: string;
  /** The photo with the Grad-CAM map of what it was taken for laid over it; absent where none is wanted. */
  readonly explained?: string;
}

/** Photos to look at. */
export interface Examples {
  /** Wrong answers, the surest first. */
  readonly mistakes: readonly Example[];
  /** The least sure answers that are not among the others, right ones too. */
  readonly unsure: readonly Example[];
  /** Labels that are likely wrong, the likeliest first. */
  readonly labels: readonly Example[];
  /** How many mistakes, and how many doubtful labels there are in all. */
  readonly counts: { readonly mistakes: number; readonly labels: number };
  /** Some photos, the surest mistakes among them, for one picture of answers. */
  readonly sheet: readonly Example[];
}

/** Pixels of a photo's longer side. */
const SIDE = 180;

/** How many of each kind are shown. */
const SHOWN = 12, SHEET = 16;

/** What to look at of `predictions`, which `classifier` made of `store`'s photos, whose names are told from `dir` on. */
export async function examplesOf(
  classifier: NetworkClassifier,
  store: PhotoStore,
  predictions: Predictions,
  { dir, temperature = 1 }: { readonly dir: string; readonly temperature?: number | undefined },
): Promise<Examples> {
  const { classes, labels } = predictions;
  const rows = Array.from(
    labels,
    (_, i) => probabilitiesOf(logitsOf(predictions, i).map((value) => value / temperature)),
  );
  const best = rows.map(bestOf), sure = rows.map((row, i) => row[best[i]!]!);
  const bySureness = rows.map((_, i) => i).sort((a, b) => sure[b]! - sure[a]! || a - b);
  const wrong = bySureness.filter((i) => best[i] !== labels[i]);
  const mistakes = wrong.slice(0, SHOWN);
  const unsure = bySureness.toReversed().filter((i) => !mistakes.includes(i)).slice(0, SHOWN);
  // By the network's own probabilities, as the run itself and `inspect` judge labels.
  const plain = rows.map((_, i) => probabilitiesOf(logitsOf(predictions, i)));
  const issues = findLabelIssues([...labels], plain);

  const made = new Map<string, Promise<Example>>();
  const example = (index: number, explain: boolean): Promise<Example> => {
    const key = `${index} ${explain}`;
    let promise = made.get(key);
    if (!promise) made.set(key, promise = makeExample(index, explain));
    return promise;
  };
  const makeExample = async (index: number, explain: boolean): Promise<Example> => {
    const row = rows[index]!, label = labels[index]!, photo = photoOf(store, index);
    const small = fitted(photo, SIDE);
    return {
      file: nameBelow(dir, store.entries[index]!.path).replaceAll("\\", "/"),
      label: classes[label]!,
      predicted: classes[best[index]!]!,
      confidence: sure[index]!,
      own: row[label]!,
      photo: await jpegUrl(small),
      ...explain && { explained: await explained(photo, small, best[index]!) },
    };
  };
  let layer: string | undefined;
  /** By the last map of features that has more than one cell: where one is left of a small input, it shows no place. */
  const heatmapOf = async (photo: DecodedImage, label: number) => {
    let found = await classifier.explain(photo, { label, layer });
    if (found.width * found.height > 1) return found;
    for (const name of classifier.network.featureMaps.toReversed()) {
      found = await classifier.explain(photo, { label, layer: layer = name });
      if (found.width * found.height > 1) break;
    }
    return found;
  };
  const explained = async (photo: DecodedImage, small: DecodedImage, label: number) => {
    const { preprocess } = classifier.card;
    const heatmap = await heatmapOf(photo, label);
    const map = evaluationMap(small, preprocess, preprocess.resize);
    return await jpegUrl(explainedPhoto(small, { heatmap, input: preprocess, map }));
  };
  const all = async (indices: readonly number[], explain: boolean) => {
    const examples: Example[] = [];
    for (const index of indices) examples.push(await example(index, explain));
    return examples;
  };
  // Half of them mistakes where there are as many; the others from all over the split.
  const some = wrong.slice(0, SHEET / 2), rest = rows.map((_, i) => i).filter((i) => !some.includes(i));
  const wanted = Math.min(SHEET - some.length, rest.length);
  const spread = Array.from({ length: wanted }, (_, n) => rest[Math.floor(n * rest.length / wanted)]!);
  return {
    mistakes: await all(mistakes, true),
    unsure: await all(unsure, true),
    labels: await all(issues.slice(0, SHOWN).map(({ index }) => index), false),
    counts: { mistakes: wrong.length, labels: issues.length },
    sheet: await all([...spread, ...some], false),
  };
}

/** A photo's pixels. */
function photoOf(store: PhotoStore, index: number): DecodedImage {
  const { width, height } = store.entries[index]!, data = new Uint8Array(width * height * 4);
  store.readInto(index, data);
  return { width, height, data };
}
