/** `deno task evaluate`: how good a checkpoint is on a split of a data set, or on all of it. */
import { CACHE_FOLDER } from "../data/dataset/cache.ts";
import { DataError, type Dataset, type ListedPhoto, openDataset } from "../data/dataset/folder.ts";
import { nameList } from "../data/dataset/names.ts";
import { RecordedSplit } from "../data/dataset/split_record.ts";
import { leftOutText } from "../data/dataset/walk.ts";
import { decodeSide } from "../data/preprocess.ts";
import { count } from "../engine/text.ts";
import type { ModelCard } from "../model/checkpoint/card.ts";
import { checkpointAt } from "../model/checkpoint/runs.ts";
import { loadClassifier } from "../model/inference/classifier.ts";
import { requestTunedGpu } from "../model/tuned_gpu.ts";
import { evaluate } from "../training/evaluate.ts";
import { decodedOf } from "../training/photo_list.ts";
import { openPhotos } from "../training/photo_source.ts";
import { compileProgress } from "../training/progress.ts";
import { evaluationText, textReporter } from "../training/reporter.ts";
import { flag, parseOrExit } from "./cli/args.ts";
import { CHECKPOINT_FLAG } from "./cli/checkpoint.ts";
import { runCommand } from "./cli/failures.ts";
import { terminalColumns } from "./cli/terminal.ts";

const SPLITS = ["train", "valid", "test", "all", "unseen"] as const;
const NAME = "deno task evaluate";

const COMMAND = {
  name: NAME,
  summary: "Measures a checkpoint's accuracy and loss on a split of a data set, or on all of it.",
  flags: {
    checkpoint: CHECKPOINT_FLAG,
    data: flag.string({ help: "folder of photos, laid out as for train", value: "DIR", required: true }),
    split: flag.choice(SPLITS, {
      help: "which part of it; unseen: what the run did not have (default: what the run was tested on, " +
        "of its own photos; test of others; all where the folder itself names no training photos)",
    }),
    batchSize: flag.int({ help: "images in a batch", default: 32, min: 1, max: 1024 }),
    seed: flag.int({
      help: "draws another split than the run's, or that of a run that is not recorded (default: 1)",
      min: 0,
      max: 2 ** 32 - 1,
    }),
    cache: flag.string({ help: "folder for decoded photos", default: CACHE_FOLDER, value: "DIR" }),
    json: flag.boolean({ help: "print one JSON object" }),
  },
};

const flags = parseOrExit(Deno.args, COMMAND);

await runCommand(NAME, async () => {
  const { checkpoint, batchSize, json } = flags;
  const write = (text: string) => void Deno.stderr.writeSync(new TextEncoder().encode(text));
  const terminal = Deno.stderr.isTerminal();
  const report = textReporter(write, { terminal, ...terminal && { columns: terminalColumns() } });
  const onNote = (text: string) => report({ event: "note", text });
  using gpu = await requestTunedGpu({ onCompile: compileProgress(report) });
  const classifier = await loadClassifier(await checkpointAt(checkpoint), { maxBatch: batchSize, gpu });
  const { classes, preprocess, training, split: record } = classifier.card;
  const seed = flags.seed ?? record?.seed ?? 1;
  // Runs that did not record their split drew it by the first rule.
  const rule = record?.rule ?? (training && 1);
  const dataset = await openDataset(flags.data, { classes, seed, allowMissing: true, rule });
  const { split, samples, how, trainedOn } = choose(dataset, record);
  if (samples.length === 0) {
    throw new DataError(`Cannot evaluate: ${dataset.name} has no ${split} images (${how})`);
  }
  const say = json ? console.error : console.log;
  using source = await openPhotos(samples, {
    side: decodeSide(preprocess),
    cacheDir: flags.cache,
    onNote,
  });
  const { leftOut } = decodedOf(dataset, source), n = source.entries.length;
  for (const phrase of dataset.notes) say(`Folders: ${phrase}`);
  say(`Split ${split}: ${count(n, "image")} of ${dataset.name} (${how})`);
  const files = Object.values(dataset.splits).flat().length + dataset.leftOut.length;
  const without = leftOutText(dataset.dir, leftOut, files);
  if (without) say(without);
  if (dataset.missing.length > 0) say(`${dataset.name} has no image of ${nameList(dataset.missing)}`);
  if (trainedOn) {
    say(`Warning: the model was trained on ${trainedOn} of these images, so the figures flatter it`);
  } else if (trainedOn === undefined && dataset.seeded && split !== "all") {
    say(
      "Warning: the checkpoint does not say what it was trained on; with another seed or other files than " +
        "the run had, these may be training images",
    );
  }
  const result = await evaluate(classifier, source);
  console.log(
    json
      ? JSON.stringify({ split, ...result, trainedOn: trainedOn ?? null })
      : evaluationText(result).join("\n"),
  );
  await classifier.close();
});

/** What to evaluate on: its name, its photos, how it came about, and how many the model was trained on (undefined: nobody knows). */
function choose({ splits, origin, seeded }: Dataset, record: ModelCard["split"]) {
  const all = Object.values(splits).flat();
  const recorded = record && new RecordedSplit(record), seen = recorded?.sort(all);
  const result = (split: typeof SPLITS[number], samples: readonly ListedPhoto[], how: string) => ({
    split,
    samples,
    how,
    trainedOn: recorded?.trainedOn(samples).length,
  });
  // A folder with half of the run's photos is the run's own, whatever was added since.
  const own = recorded !== undefined &&
    all.length - seen!.unseen.length - seen!.before.length >= recorded.size / 2;
  if (flags.split === "unseen") {
    if (!seen) throw new DataError("Cannot evaluate: the checkpoint does not say what it was trained on");
    return result("unseen", seen.unseen, "photos that the run did not have");
  }
  if (own && seeded && flags.seed === undefined) {
    const parts = { ...seen!, all };
    const split = flags.split ?? (parts.test.length > 0 ? "test" : "valid");
    const fresh = seen!.unseen.length > 0 ? `; ${seen!.unseen.length} more are new: --split unseen` : "";
    return result(split, parts[split], `the run's own: ${record!.origin}${fresh}`);
  }
  // A folder that names no training photos may never have been trained on: the seed's tenth of it would be a waste.
  const usual = splits.train.length === 0 || seeded ? "all" : splits.test.length > 0 ? "test" : "valid";
  const split = flags.split ?? (own && seeded ? "test" : usual);
  const how = seeded && split === "all"
    ? "it has no split of its own; train would test on --split test"
    : origin;
  return result(split, split === "all" ? all : splits[split], how);
}
