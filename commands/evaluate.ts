/** `deno task evaluate`: how good a checkpoint is on a split of a data set, or on all of it. */
import { CACHE_FOLDER } from "../data/dataset/cache.ts";
import { DataError, type Dataset, openDataset } from "../data/dataset/folder.ts";
import { decodeSide } from "../data/preprocess.ts";
import { loadClassifier } from "../model/inference/classifier.ts";
import { evaluate } from "../training/evaluate.ts";
import { openPhotos } from "../training/photo_source.ts";
import { evaluationText } from "../training/reporter.ts";
import { flag, parseOrExit } from "./cli/args.ts";
import { runCommand } from "./cli/failures.ts";

const SPLITS = ["train", "valid", "test", "all"] as const;
const NAME = "deno task evaluate";

const COMMAND = {
  name: NAME,
  summary: "Measures a checkpoint's accuracy and loss on a split of a data set, or on all of it.",
  flags: {
    checkpoint: flag.string({ help: "file written by train or convert", value: "FILE", required: true }),
    data: flag.string({ help: "folder of photos, laid out as for train", value: "DIR", required: true }),
    split: flag.choice(SPLITS, {
      help: "which part of it (default: test; all where the folder itself names no training photos)",
    }),
    batchSize: flag.int({ help: "images in a batch", default: 32, min: 1, max: 1024 }),
    seed: flag.int({ help: "decides a random split, as for train", default: 1, min: 0, max: 2 ** 32 - 1 }),
    cache: flag.string({ help: "folder for decoded photos", default: CACHE_FOLDER, value: "DIR" }),
    json: flag.boolean({ help: "print one JSON object" }),
  },
};

const flags = parseOrExit(Deno.args, COMMAND);

await runCommand(NAME, async () => {
  const { checkpoint, batchSize, seed, json } = flags;
  const classifier = await loadClassifier(checkpoint, { maxBatch: batchSize });
  const { classes, preprocess } = classifier.card;
  const dataset = await openDataset(flags.data, { classes, seed, allowMissing: true });
  const { split, samples, text } = choose(dataset);
  if (samples.length === 0) {
    throw new DataError(`Cannot evaluate: ${dataset.name} has no ${split} images (${dataset.origin})`);
  }
  const say = json ? console.error : console.log;
  say(text);
  if (dataset.missing.length > 0) say(`${dataset.name} has no image of ${dataset.missing.join(", ")}`);
  using source = await openPhotos(samples, {
    side: decodeSide(preprocess),
    cacheDir: flags.cache,
    onNote: (note) => console.error(note),
  });
  const result = await evaluate(classifier, source);
  console.log(json ? JSON.stringify(result) : evaluationText(result).join("\n"));
  await classifier.close();
});

/** The part to evaluate on, and a line that names it. */
function choose({ name, splits, origin, seeded }: Dataset) {
  // A folder that names no training photos may never have been trained on: the seed's tenth of it would be a waste.
  const split = flags.split ?? (seeded || splits.train.length === 0 ? "all" : "test");
  const samples = split === "all" ? Object.values(splits).flat() : splits[split];
  const how = seeded && split === "all"
    ? "it has no split of its own; train would test on --split test"
    : origin;
  return { split, samples, text: `Split ${split}: ${samples.length} images of ${name} (${how})` };
}
