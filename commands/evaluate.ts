/** `deno task evaluate`: how good a checkpoint is on a split of a data set. */
import { flag, parseOrExit } from "./cli/args.ts";
import { runCommand } from "./cli/failures.ts";
import { decodeSide } from "../data/preprocess.ts";
import { blameInput } from "../engine/errors.ts";
import { loadClassifier } from "../model/inference/classifier.ts";
import { CACHE_FOLDER } from "../data/dataset/cache.ts";
import { DataError, openDataset } from "../data/dataset/folder.ts";
import { evaluate } from "../training/evaluate.ts";
import { evaluationText } from "../training/reporter.ts";
import { openPhotos } from "../training/photos.ts";

const SPLITS = ["train", "valid", "test"] as const;
const NAME = "deno task evaluate";

const COMMAND = {
  name: NAME,
  summary: "Measures a checkpoint's accuracy and loss on a split of a data set.",
  flags: {
    checkpoint: flag.string({ help: "file written by train or convert", value: "FILE", required: true }),
    data: flag.string({ help: "folder of photos, laid out as for train", value: "DIR", required: true }),
    split: flag.choice(SPLITS, { help: "which part of it", default: "test" }),
    batchSize: flag.int({ help: "images in a batch", default: 32, min: 1, max: 1024 }),
    seed: flag.int({ help: "decides a random split, as for train", default: 1, min: 0, max: 2 ** 32 - 1 }),
    cache: flag.string({ help: "folder for decoded photos", default: CACHE_FOLDER, value: "DIR" }),
    json: flag.boolean({ help: "print one JSON object" }),
  },
};

const flags = parseOrExit(Deno.args, COMMAND);

await runCommand(NAME, async () => {
  const classifier = await blameInput(() => loadClassifier(flags.checkpoint, { maxBatch: flags.batchSize }));
  const { classes, preprocess } = classifier.card;
  const dataset = await openDataset(flags.data, { classes, seed: flags.seed });
  const samples = dataset.splits[flags.split];
  if (samples.length === 0) {
    throw new DataError(`Cannot evaluate: ${dataset.name} has no ${flags.split} images (${dataset.origin})`);
  }
  using source = await openPhotos(samples, {
    side: decodeSide(preprocess),
    cacheDir: flags.cache,
    onNote: (text) => console.error(text),
  });
  const result = await evaluate(classifier, source);
  console.log(flags.json ? JSON.stringify(result) : evaluationText(result).join("\n"));
  await classifier.close();
});
