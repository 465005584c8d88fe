/** `deno task predict`: classifies photos with a checkpoint. */
import { CHECKPOINT_FLAG, TTA_FLAG } from "./cli/checkpoint.ts";
import { flag, parseOrExit, UsageError } from "./cli/args.ts";
import { printable } from "../engine/text.ts";
import { runCommand } from "./cli/failures.ts";
import { photoInputs } from "./predict_inputs.ts";
import { type Answer, answerPhotos } from "./predict_photos.ts";
import { checkpointAt } from "../model/checkpoint/runs.ts";
import { loadClassifier } from "../model/inference/load.ts";

const NAME = "deno task predict";

const flags = parseOrExit(Deno.args, {
  name: NAME,
  summary:
    "Classifies photos with a checkpoint: files, folders and what is in them, - for one from standard input, " +
    "and web addresses with --allow-urls. What cannot be read is named, and the exit code is 1 then.",
  usesGpu: true,
  flags: {
    checkpoint: CHECKPOINT_FLAG,
    json: flag.boolean({
      help: "print a JSON list, each photo with its classes most probable first, or with an error",
    }),
    batchSize: flag.int({ help: "photos in one pass at most", default: 32, min: 1, max: 1024 }),
    tta: TTA_FLAG,
    unknown: flag.boolean({
      help:
        "call a photo unknown that is of no class of the model, where it can tell; --no-unknown always names one",
      default: true,
    }),
    allowUrls: flag.boolean({ help: "fetch photos of http and https addresses" }),
    maxUrlMb: flag.float({ help: "megabytes of a fetched photo at most", default: 20, min: 0.001 }),
    urlTimeoutMs: flag.int({ help: "time for fetching a photo", default: 15_000, min: 1 }),
  },
  positionals: { name: "PHOTO", min: 1, paths: true },
});

await runCommand(NAME, async () => {
  if (flags.positionals.filter((name) => name === "-").length > 1) {
    throw new UsageError("- is there twice, and standard input can be read once");
  }
  const onNote = (text: string) => console.error(printable(text));
  const checkpoint = await checkpointAt(flags.checkpoint, onNote);
  const inputs = await photoInputs(flags.positionals, {
    web: flags.allowUrls ? { maxBytes: flags.maxUrlMb * 1e6, timeoutMs: flags.urlTimeoutMs } : undefined,
    onNote,
  });
  const classifier = await loadClassifier(checkpoint, { maxBatch: Math.min(flags.batchSize, inputs.length) });
  const answers: Answer[] = [];
  let failed = 0;
  for await (const answer of answerPhotos(classifier, inputs, { tta: flags.tta, refuse: flags.unknown })) {
    if (flags.json) answers.push(answer);
    else if ("error" in answer) console.error(printable(`${NAME}: ${answer.file}: ${answer.error}`));
    else {
      const [best] = answer.probabilities, sure = `${(answer.probability * 100).toFixed(1)} %`;
      const text = answer.unknown
        ? `unknown (most like ${best!.class}, ${sure})`
        : `${best!.class} (${sure})`;
      console.log(printable(`${answer.file}: ${text}`));
    }
    if ("error" in answer) failed++;
  }
  await classifier.close();
  if (flags.json) console.log(JSON.stringify(answers));
  if (failed === 0) return 0;
  console.error(`${NAME}: ${failed} of ${inputs.length} photos have no answer`);
  return 1;
});
