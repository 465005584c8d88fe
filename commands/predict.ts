/** `deno task predict`: classifies image files with a checkpoint. */
import { flag, parseOrExit } from "./cli/args.ts";
import { runCommand } from "./cli/failures.ts";
import { DecoderPool } from "../data/image/decoder_pool.ts";
import { decodeSide, type Preprocess } from "../data/preprocess.ts";
import { loadClassifier } from "../model/inference/classifier.ts";

const NAME = "deno task predict";

const flags = parseOrExit(Deno.args, {
  name: NAME,
  summary: "Classifies image files with a checkpoint.",
  flags: {
    checkpoint: flag.string({ help: "file written by train or convert", value: "FILE", required: true }),
    json: flag.boolean({ help: "print a JSON list" }),
  },
  positionals: { name: "IMAGE", min: 1 },
});

await runCommand(NAME, async () => {
  const classifier = await loadClassifier(flags.checkpoint, { maxBatch: 1 });
  await using pool = new DecoderPool({ workers: 1 });
  const answers = [];
  for (const file of flags.positionals) {
    const image = await decode(pool, file, classifier.card.preprocess);
    const [answer] = await classifier.classify([image]);
    const { logits, probabilities } = answer!;
    const best = probabilities.indexOf(probabilities.reduce((a, b) => Math.max(a, b)));
    const named = (values: Float32Array) =>
      Object.fromEntries(classifier.card.classes.map((name, i) => [name, values[i]!]));
    answers.push({
      file,
      class: classifier.card.classes[best]!,
      probability: probabilities[best]!,
      probabilities: named(probabilities),
      logits: named(logits),
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
