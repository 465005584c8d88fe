/** `deno task convert`: turns a checkpoint of the C++ program into one of this project. */
import { flag, parseOrExit, UsageError } from "./cli/args.ts";
import { runCommand } from "./cli/failures.ts";
import { DataError, openDataset } from "../data/dataset/folder.ts";
import { nameList } from "../data/dataset/names.ts";
import { Gpu } from "../engine/gpu.ts";
import { count } from "../engine/text.ts";
import { type HermosayhlCnnModel, readHermosayhlCnn } from "../formats/hermosayhl_cnn.ts";
import { decodeSide } from "../data/preprocess.ts";
import { saveCheckpoint } from "../model/checkpoint/checkpoint.ts";
import { CheckpointError, readWeightsFile } from "../model/checkpoint/files.ts";
import { openPhotos } from "../training/photos/photo_source.ts";
import { estimateStatistics } from "../training/step/statistics.ts";

const NAME = "deno task convert";

const flags = parseOrExit(Deno.args, {
  name: NAME,
  summary: "Converts SEED.model, a checkpoint of the C++ program, to OUT.safetensors.",
  usesGpu: true,
  flags: {
    classes: flag.list({
      help: "class names in the order of its outputs",
      value: "A,B",
      separator: ",",
      required: true,
    }),
    data: flag.path({
      help: "folder of training photos, for a file that lacks the batch norms' moving statistics",
      value: "DIR",
    }),
  },
  positionals: { name: "FILE", usage: "SEED.model OUT.safetensors", min: 2, max: 2, paths: true },
});

await runCommand(NAME, async () => {
  const [from, to] = flags.positionals as [string, string];
  const { classes } = flags;
  if (new Set(classes).size < classes.length) {
    throw new UsageError(`--classes names a class twice: ${nameList(classes)}`);
  }
  const model = readHermosayhlCnn(await readWeightsFile(from), classes, from);
  const tensors = new Map(model.tensors);
  if (model.lacksStatistics) {
    for (const [name, tensor] of await estimate(model, from)) tensors.set(name, tensor);
  }
  await saveCheckpoint(to, { card: model.card, tensors });
  console.log(
    `${to}: ${model.card.model}, ${model.card.parameters} parameters, classes ${nameList(classes)}`,
  );
});

/** Moving statistics from the training photos. */
async function estimate({ card, tensors }: HermosayhlCnnModel, name: string) {
  if (flags.data === undefined) {
    throw new CheckpointError(
      `Cannot convert ${name}: it is of the older kind that lacks the batch norms' moving mean and variance, ` +
        `which inference needs; --data DIR estimates them from training photos`,
    );
  }
  const dataset = await openDataset(flags.data, { classes: card.classes, seed: 1 });
  const samples = dataset.splits.train;
  if (samples.length === 0) {
    throw new DataError(`Cannot convert ${name}: ${flags.data} has no training images`);
  }
  using photos = await openPhotos(samples, {
    side: decodeSide(card.preprocess),
    onNote: (text) => console.error(text),
  });
  using gpu = await Gpu.request();
  const statistics = await estimateStatistics(gpu, card, tensors, photos);
  console.error(
    `Moving statistics estimated from ${count(photos.entries.length, "training photo")} of ${dataset.name}`,
  );
  return statistics;
}
