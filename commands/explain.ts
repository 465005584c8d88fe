/** `deno task explain`: what in a photo speaks for a class, as pictures. */
import { checkpointAt } from "../model/checkpoint/runs.ts";
import { loadClassifier } from "../model/inference/load.ts";
import { printable } from "../engine/text.ts";
import { CHECKPOINT_FLAG } from "./cli/checkpoint.ts";
import { flag, parseOrExit, UsageError } from "./cli/args.ts";
import { runCommand } from "./cli/failures.ts";
import { explainPhotos } from "./explain_photos.ts";
import { photoInputs } from "./predict_inputs.ts";

const NAME = "deno task explain";

const flags = parseOrExit(Deno.args, {
  name: NAME,
  summary:
    "Shows what in a photo speaks for a class: writes its Grad-CAM, laid over the photo, as NAME.gradcam.jpg. Takes files, and " +
    "folders with all in them. A photo that cannot be read is named, and the exit code is 1 then.",
  usesGpu: true,
  flags: {
    checkpoint: CHECKPOINT_FLAG,
    class: flag.string({
      help: "the class that is explained (default: each photo's most probable)",
      value: "NAME",
    }),
    layer: flag.string({
      help: "the layer whose map is shown (default: the last map of features); a wrong one names them all",
      value: "NAME",
    }),
    out: flag.path({ help: "folder for the pictures (default: beside each photo)", value: "DIR" }),
    json: flag.boolean({ help: "print a JSON list: each photo with its class, its map and its picture" }),
  },
  positionals: { name: "PHOTO", min: 1, paths: true },
});

await runCommand(NAME, async () => {
  const unread = flags.positionals.find((name) => name === "-" || /^https?:\/\//i.test(name));
  if (unread !== undefined) {
    throw new UsageError(`${unread} is no file or folder, which photos are explained from`);
  }
  const onNote = (text: string) => console.error(printable(text));
  const classifier = await loadClassifier(await checkpointAt(flags.checkpoint, onNote), { maxBatch: 1 });
  const { classes } = classifier.card,
    label = flags.class === undefined ? undefined : classes.indexOf(flags.class);
  if (label === -1) {
    throw new UsageError(`--class ${flags.class} is none of the model's: ${classes.join(", ")}`);
  }
  const { maps } = classifier.network;
  if (flags.layer !== undefined && !maps.includes(flags.layer)) {
    throw new UsageError(`--layer ${flags.layer} makes no map; those that do: ${maps.join(", ")}`);
  }
  const inputs = await photoInputs(flags.positionals, { onNote });
  const { layer, out } = flags, told: unknown[] = [];
  let failed = 0;
  for await (const answer of explainPhotos(classifier, inputs, { label, layer, out })) {
    const { file } = answer;
    if ("error" in answer) failed++;
    if (flags.json) told.push(answer);
    else if ("error" in answer) console.error(printable(`${NAME}: ${file}: ${answer.error}`));
    else {
      const of = `${answer.class} (${(answer.probability * 100).toFixed(1)} %)`;
      console.log(printable(`${file}: ${of}, ${answer.picture}`));
    }
  }
  await classifier.close();
  if (flags.json) console.log(JSON.stringify(told));
  if (failed === 0) return 0;
  console.error(`${NAME}: ${failed} of ${inputs.length} photos have no picture`);
  return 1;
});
