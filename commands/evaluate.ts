/** `deno task evaluate`: how good a checkpoint is on a split of a data set, or on all of it. */
import { CACHE_FOLDER } from "../data/dataset/cache.ts";
import { openDataset } from "../data/dataset/folder.ts";
import { nameList } from "../data/dataset/names.ts";
import { datasetLeftOutText, otherClassesText } from "../data/dataset/left_out.ts";
import { decodeSide } from "../data/preprocess.ts";
import { type Communicator, firstOfHostFirst } from "../distributed/communicator.ts";
import { count, printable } from "../engine/text.ts";
import { checkpointAt } from "../model/checkpoint/runs.ts";
import { loadClassifier } from "../model/inference/load.ts";
import { requestTunedGpu } from "../model/tuned_gpu.ts";
import { evaluate, evaluationOf } from "../training/evaluation/evaluate.ts";
import { shellWord } from "../training/run/next_commands.ts";
import { decodedOf } from "../training/photos/photo_list.ts";
import { openPhotos } from "../training/photos/photo_source.ts";
import { predictPhotos } from "../training/evaluation/predictions.ts";
import { compileProgress } from "../training/run/progress.ts";
import { evaluationText, textReporter } from "../training/run/reporter.ts";
import { flag, parseOrExit } from "./cli/args.ts";
import { CHECKPOINT_FLAG, TTA_FLAG } from "./cli/checkpoint.ts";
import { DISTRIBUTED_FLAG, withRanks } from "./cli/ranks.ts";
import { runCommand } from "./cli/failures.ts";
import { terminalColumns } from "./cli/terminal.ts";
import { shownPath } from "./cli/user_path.ts";
import { chooseSplit, EVALUATED, splitAsked } from "./evaluate_split.ts";

const NAME = "deno task evaluate";

const COMMAND = {
  name: NAME,
  summary: "Measures a checkpoint's accuracy and loss on a split of a data set, or on all of it.",
  usesGpu: true,
  flags: {
    checkpoint: CHECKPOINT_FLAG,
    data: flag.path({ help: "folder of photos, laid out as for train", value: "DIR", required: true }),
    split: flag.choice([...EVALUATED, "val", "validation"], {
      help: "which part of it; unseen: what the run did not have (default: what the run was tested on, " +
        "of its own photos; test of others; all where the folder itself names no training photos or has no others)",
    }),
    batchSize: flag.int({ help: "images in a batch", default: 32, min: 1, max: 1024 }),
    tta: TTA_FLAG,
    seed: flag.int({
      help: "draws another split than the run's, or that of a run that is not recorded (default: 1)",
      min: 0,
      max: 2 ** 32 - 1,
    }),
    cache: flag.path({ help: "folder for decoded photos", default: CACHE_FOLDER, value: "DIR" }),
    report: flag.path({
      help: "folder for report.html and pictures: figures of each class, mistakes, calibration",
      value: "DIR",
    }),
    distributed: DISTRIBUTED_FLAG,
    json: flag.boolean({ help: "print one JSON object" }),
  },
};

const flags = parseOrExit(Deno.args, COMMAND);

await runCommand(NAME, () => withRanks(flags.distributed, NAME, (text) => console.error(text), run));

async function run(ranks: Communicator): Promise<void> {
  const { checkpoint, batchSize, json } = flags;
  const write = (text: string) => void Deno.stderr.writeSync(new TextEncoder().encode(text));
  const terminal = Deno.stderr.isTerminal();
  const report = textReporter(write, { terminal, ...terminal && { columns: terminalColumns() } });
  // One rank speaks for all.
  const silent = ranks.rank > 0;
  const onNote = (text: string) => silent || report({ event: "note", text });
  using gpu = await requestTunedGpu({ onCompile: compileProgress(report) });
  const classifier = await loadClassifier(await checkpointAt(checkpoint, onNote), {
    maxBatch: batchSize,
    gpu,
  });
  const { classes, preprocess, training, split: record } = classifier.card;
  const seed = flags.seed ?? record?.seed ?? 1;
  // Runs that did not record their split drew it by the first rule.
  const rule = record?.rule ?? (training && 1);
  const dataset = await openDataset(flags.data, { classes, seed, allowMissing: true, rule });
  const say = (text: string) => silent || (json ? console.error : console.log)(printable(text));
  const others = await otherClassesText(dataset, "the model");
  if (others) say(others);
  const { split, samples, how, trainedOn, out } = chooseSplit(dataset, record, {
    split: flags.split === undefined ? undefined : splitAsked(flags.split),
    seed: flags.seed,
  });
  using source = await firstOfHostFirst(
    ranks,
    () => openPhotos(samples, { side: decodeSide(preprocess), cacheDir: flags.cache, onNote }),
  );
  const n = source.entries.length;
  const decoded = decodedOf(dataset, {
    skipped: [...source.skipped, ...out.map(({ path }) => ({ path }))],
  });
  for (const phrase of dataset.notes) say(`Folders: ${phrase}`);
  say(`Split ${split}: ${count(n, "image")} of ${dataset.name} (${how})`);
  const without = datasetLeftOutText(decoded);
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
  const options = { tta: flags.tta, ranks };
  // Only a report needs to know each photo's answer.
  const predictions = flags.report === undefined
    ? undefined
    : await predictPhotos(classifier, source, options);
  const result = predictions ? evaluationOf(predictions) : await evaluate(classifier, source, options);
  if (silent) return await classifier.close();
  if (predictions && flags.report !== undefined) {
    const { model, parameters } = classifier.card;
    const { writeEvaluationReport } = await import("../report/evaluation_report.ts");
    const path = await writeEvaluationReport(classifier, source, predictions, {
      ...{ folder: flags.report, dir: dataset.dir, split },
      title: `${model} on ${dataset.name}`,
      about: `${model}, ${parameters.toLocaleString("en")} parameters, on ${count(n, "photo")} (${how})`,
      command: ["deno task evaluate", ...Deno.args.map((word) => shellWord(word))].join(" "),
      warning: trainedOn
        ? `The model was trained on ${trainedOn} of these photos, so the figures flatter it.`
        : undefined,
    });
    say(`Report: ${shownPath(path)}`);
  }
  console.log(
    json
      ? JSON.stringify({ split, ...result, trainedOn: trainedOn ?? null })
      : evaluationText(result).map((line) => printable(line)).join("\n"),
  );
  await classifier.close();
}
