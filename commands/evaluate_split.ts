/**
 * Which photos of a folder `deno task evaluate` measures a model on, and what they were to the run that trained it.
 * @module
 */
import { DataError, type Dataset, type ListedPhoto } from "../data/dataset/folder.ts";
import { RecordedSplit, type SplitRecord } from "../data/dataset/split_record.ts";
import { count } from "../engine/text.ts";

/** What `--split` takes. */
export const EVALUATED = ["train", "valid", "test", "all", "unseen"] as const;

/** A part of a data set. */
export type Evaluated = typeof EVALUATED[number];

/** The part that a word means which other programs use as well: `val` and `validation` are `valid`. */
export function splitAsked(word: Evaluated | "val" | "validation"): Evaluated {
  return word === "val" || word === "validation" ? "valid" : word;
}

/** The part that is evaluated. */
export interface Choice {
  /** Its name. */
  readonly split: Evaluated;
  /** Its photos. */
  readonly samples: readonly ListedPhoto[];
  /** How it came about, as a phrase for people. */
  readonly how: string;
  /** How many of them the model was trained on; undefined: nobody knows. */
  readonly trainedOn: number | undefined;
  /** Photos of the folder that the run could not decode, and which are not tried again. */
  readonly out: readonly ListedPhoto[];
}

/**
 * The part that was asked for, or else the one that says most: what the run was tested on, of its own photos; test of others; all where
 * the folder names no training photos. `seeded` is whether another seed than the run's was asked for. Throws a `DataError` where the
 * part has no photo, which names those that have some.
 */
export function chooseSplit(
  dataset: Dataset,
  record: SplitRecord | undefined,
  asked: { readonly split?: Evaluated | undefined; readonly seed?: number | undefined } = {},
): Choice {
  const { splits, origin, seeded } = dataset;
  const listed = Object.values(splits).flat();
  const recorded = record && new RecordedSplit(record), seen = recorded?.sort(listed);
  const out = new Set(seen?.out);
  const { train = [], valid = [], test = [], unseen = [] } = seen ?? {};
  const ofRun = train.length + valid.length + test.length;
  // A folder with half of the run's photos is the run's own, whatever was added since.
  const own = seen !== undefined && ofRun > 0 && ofRun >= recorded!.size / 2;
  const ownSplit = own && seeded && asked.seed === undefined;
  const decodable = (photos: readonly ListedPhoto[]) => photos.filter((photo) => !out.has(photo));
  const parts: Record<Evaluated, readonly ListedPhoto[]> = {
    ...ownSplit ? { train, valid, test } : {
      train: decodable(splits.train),
      valid: decodable(splits.valid),
      test: decodable(splits.test),
    },
    all: decodable(listed),
    unseen,
  };
  const first = (...names: Evaluated[]) => names.find((name) => parts[name].length > 0) ?? "all";
  // A folder that names no training photos may never have been trained on: the seed's tenth of it would be a waste.
  const usual = ownSplit
    ? first("test", "valid")
    : own && seeded
    ? first("test")
    : splits.train.length === 0 || seeded
    ? "all"
    : first("test", "valid");
  const split = asked.split ?? usual;
  if (split === "unseen" && !seen) {
    throw new DataError("Cannot evaluate: the checkpoint does not say what it was trained on");
  }
  const fellBack = asked.split === undefined && split === "all" &&
    (own || splits.train.length > 0 && !seeded);
  const how = split === "unseen"
    ? `photos that the run did not have${record?.contents ? "" : " under these names; it recorded no more"}`
    : fellBack
    ? `no photo of ${own && seeded ? "the run's" : "a"} test or validation split is there`
    : ownSplit
    ? `the run's own: ${record!.origin}`
    : seeded && split === "all"
    ? "it has no split of its own; train would test on --split test"
    : origin;
  const samples = parts[split];
  if (samples.length === 0) {
    const others = EVALUATED.filter((name) => parts[name].length > 0 && (name !== "unseen" || own));
    const instead = others.length > 0
      ? `; there is ${others.map((name) => `--split ${name} (${parts[name].length})`).join(", ")}`
      : "";
    throw new DataError(
      `Cannot evaluate: ${dataset.name} has no ${split} images of the model's classes (${how})${instead}`,
    );
  }
  const fresh = unseen.length === 0 || !ownSplit || split === "unseen"
    ? ""
    : split === "all"
    ? `; ${unseen.length} of them ${unseen.length === 1 ? "is" : "are"} new: --split unseen`
    : `; ${count(unseen.length, "more is", "more are")} new: --split unseen`;
  return {
    split,
    samples,
    how: how + fresh,
    trainedOn: seen && samples.filter((photo) => seen.trained.has(photo)).length,
    out: [...out],
  };
}
