/**
 * `deno task bench:peers`: this project beside TensorFlow.js and jax-js, same adapter, same network, same batch; and beside PyTorch
 * where `python3` has it, on the same device or, without CUDA, on the processor itself.
 *
 * How it is made fair: everyone starts from the same weights, input and labels, and the first losses (or logits, or values of
 * the product) are compared before anything is timed. Everyone has a process and a device of its own and is asked in turn
 * (ours, tfjs, jax-js, ours, …), so that a machine that slows down slows everyone; idle contenders use no processor. What is
 * compiled or warmed up is so before the first round. A round is as many steps as fill about a second, and ends when the
 * device has finished; nothing is read before. Peers are written as their own documentation advises, see `tfjs.ts` and
 * `jax.ts`. Inference includes bringing the input to the device and the logits back, for everyone.
 * @module
 */
import { flag, parseOrExit, UsageError } from "../../commands/cli/args.ts";
import { runCommand } from "../../commands/cli/failures.ts";
import { saveSection } from "../report.ts";
import { compare, CONTENDERS } from "./compare.ts";
import { type ComparisonResult, comparisons } from "./comparisons.ts";
import { findPyTorch, PYTHON } from "./pytorch.ts";
import { peersDocument, peersTable } from "./report.ts";

const NAME = "deno task bench:peers";

/** Who may be left out: everyone is measured against ours. */
const OTHERS = CONTENDERS.map(({ name }) => name).filter((name) => name !== "ours");

const flags = parseOrExit(Deno.args, {
  name: NAME,
  summary:
    "Times this project beside TensorFlow.js and jax-js on this machine's GPU, in turn, and prints ratios.",
  flags: {
    json: flag.boolean({ help: "print one JSON document" }),
    save: flag.boolean({ help: "also write the table to bench/results/ADAPTER.md" }),
    only: flag.string({ help: "only lines whose name contains this text, such as product", value: "TEXT" }),
    batch: flag.int({ help: "images of a training step, instead of each line's own", min: 1, max: 4096 }),
    without: flag.list({
      help: `who shall not take part, of ${OTHERS.join(", ")}`,
      value: "NAME",
      separator: ",",
      default: [] as string[],
    }),
    rounds: flag.int({ help: "rounds, of which medians are taken", default: 5, min: 1, max: 100 }),
    roundSeconds: flag.float({ help: "length of a round", default: 1, min: 0.01, max: 60 }),
    quick: flag.boolean({ help: "small inputs and short rounds: shows that all works, measures nothing" }),
  },
});

await runCommand(NAME, async () => {
  const unknown = flags.without.find((name) => !OTHERS.some((other) => other === name));
  if (unknown !== undefined) {
    throw new UsageError(`--without is ${unknown}, wanted some of ${OTHERS.join(", ")}`);
  }
  const { quick, batch } = flags, pytorch = await findPyTorch();
  if (pytorch) Deno.env.set(PYTHON, pytorch.python);
  const beside = pytorch ? ["pytorch", ...pytorch.cuda ? ["pytorch-tf32"] : []] : [];
  const all = comparisons({ quick, batch, beside });
  const chosen = all.filter(({ name }) => name.includes(flags.only ?? "")).map((comparison) => ({
    ...comparison,
    contenders: comparison.contenders.filter((name) => !flags.without.includes(name)),
  }));
  if (chosen.length === 0) {
    const names = all.map(({ name }) => `"${name}"`);
    throw new UsageError(
      `--only is ${JSON.stringify(flags.only)}, wanted a part of one of ${names.join(", ")}`,
    );
  }
  const results: ComparisonResult[] = [];
  for (const comparison of chosen) {
    const rounds = flags.quick ? 1 : flags.rounds,
      milliseconds = (flags.quick ? 0.05 : flags.roundSeconds) * 1000;
    results.push(await compare(comparison, { rounds, milliseconds }, (text) => console.error(text)));
  }
  console.log(flags.json ? JSON.stringify(peersDocument(results)) : peersTable(results).join("\n"));
  const adapter = results[0]?.summaries[0]?.adapter;
  if (flags.save && adapter !== undefined) {
    const command = [NAME, ...Deno.args].join(" ");
    const lines = ["## Beside other libraries", "", `\`${command}\``, "", ...peersTable(results)];
    console.error(`wrote ${await saveSection(adapter, "peers", lines)}`);
  }
  return results.some(({ failures, summaries }) => failures.length > 0 || summaries.some((s) => !s.same))
    ? 1
    : 0;
});
