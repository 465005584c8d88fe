/** `deno task predict`: classifies image files with a checkpoint. */
import { flag, parseOrExit } from "./cli/args.ts";
import { CHECKPOINT_FLAG } from "./cli/checkpoint.ts";
import { runCommand } from "./cli/failures.ts";
import { DecoderPool } from "../data/image/decoder_pool.ts";
import { decodeSide, type Preprocess } from "../data/preprocess.ts";
import { ranking } from "../model/inference/classifier_types.ts";
import { checkpointAt } from "../model/checkpoint/runs.ts";
import { loadClassifier } from "../model/inference/classifier.ts";

const NAME = "deno task predict";

const flags = parseOrExit(Deno.args, {
  name: NAME,
  summary: "Classifies image files with a checkpoint.",
  flags: {
    checkpoint: CHECKPOINT_FLAG,
    json: flag.boolean({ help: "print a JSON list, each with its classes most probable first" }),
  },
  positionals: { name: "IMAGE", min: 1 },
});

await runCommand(NAME, async () => {
  const classifier = await loadClassifier(await checkpointAt(flags.checkpoint), { maxBatch: 1 });
  await using pool = new DecoderPool({ workers: 1 });
  const answers = [];
  for (const file of flags.positionals) {
    const image = await decode(pool, file, classifier.card.preprocess);
    const [answer] = await classifier.classify([image]);
    const { logits, probabilities } = answer!;
    const order = ranking(probabilities).map((k) => ({ class: classifier.card.classes[k]!, k }));
    const ranked = order.map(({ class: name, k }) => ({ class: name, probability: probabilities[k]! }));
    answers.push({
      file,
      ...ranked[0]!,
      probabilities: ranked,
      logits: order.map(({ class: name, k }) => ({ class: name, logit: logits[k]! })),
    });
  }
  await classifier.close();
  if (flags.json) return console.log(JSON.stringify(answers));
  for (const a of answers) console.log(`${a.file}: ${a.class} (${(a.probability * 100).toFixed(1)} %)`);
});

/** Decodes a file; an error names it. */
async function decode(pool: DecoderPool, file: string, preprocess: Preprocess) {
  try {
    return await pool.decode(await Deno.readFile(file), { shorterSide: decodeSide(preprocess) });
  } catch (error) {
    if (error instanceof Error) error.message = `${file}: ${error.message}`;
    throw error;
  }
}
