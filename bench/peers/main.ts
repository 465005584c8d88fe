/**
 * `deno task bench:peers`: this project beside TensorFlow.js and jax-js, same adapter, same network, same batch.
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
import { compare } from "./compare.ts";
import { type ComparisonResult, comparisons } from "./comparisons.ts";
import { peersDocument, peersTable } from "./report.ts";

const NAME = "deno task bench:peers";

const flags = parseOrExit(Deno.args, {
  name: NAME,
  summary:
    "Times this project beside TensorFlow.js and jax-js on this machine's GPU, in turn, and prints ratios.",
  flags: {
    json: flag.boolean({ help: "print one JSON document" }),
    save: flag.boolean({ help: "also write the table to bench/results/ADAPTER.md" }),
    only: flag.string({ help: "only lines whose name contains this text, such as product", value: "TEXT" }),
    rounds: flag.int({ help: "rounds, of which medians are taken", default: 5, min: 1, max: 100 }),
    roundSeconds: flag.float({ help: "length of a round", default: 1, min: 0.01, max: 60 }),
    quick: flag.boolean({ help: "small inputs and short rounds: shows that all works, measures nothing" }),
  },
});

await runCommand(NAME, async () => {
  const chosen = comparisons(flags.quick).filter(({ name }) => name.includes(flags.only ?? ""));
  if (chosen.length === 0) {
    const names = comparisons(flags.quick).map(({ name }) => `"${name}"`);
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
