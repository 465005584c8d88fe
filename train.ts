/** `deno task train`: parses flags and connects data, network and training loop. */
import { givenFlags, parseOrExit } from "./commands/cli/args.ts";
import { runCommand } from "./commands/cli/failures.ts";
import { terminalColumns } from "./commands/cli/terminal.ts";
import { requireResumable, TRAIN_COMMAND } from "./commands/train_command.ts";
import { checkpointAt } from "./model/checkpoint/runs.ts";
import { runOptions } from "./training/options.ts";
import { jsonReporter, textReporter } from "./training/reporter.ts";
import { seedOfWeights } from "./training/seen_before.ts";
import { resumeTraining, train } from "./training/train.ts";

const flags = parseOrExit(Deno.args, TRAIN_COMMAND);

await runCommand(TRAIN_COMMAND.name, async () => {
  const encoder = new TextEncoder();
  const write = (text: string) => void Deno.stdout.writeSync(encoder.encode(text));
  const terminal = Deno.stdout.isTerminal();
  const report = flags.json
    ? jsonReporter(console.log)
    : textReporter(write, { terminal, ...terminal && { columns: terminalColumns() } });
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    if (signal === "SIGTERM" && Deno.build.os === "windows") continue;
    Deno.addSignalListener(signal, () => {
      // The second Ctrl-C does not wait for the step.
      if (stop.signal.aborted) Deno.exit(130);
      stop.abort();
    });
  }
  if (flags.resume === undefined) {
    // What is recorded is the file: which run is the newest may have changed when this one goes on.
    const weights = flags.weights === undefined ? undefined : await checkpointAt(flags.weights);
    // The same photos are split as they were for the weights: what those were trained on is no test.
    const told = givenFlags(Deno.args, TRAIN_COMMAND).has("seed");
    const seed = weights === undefined || told ? undefined : await seedOfWeights(weights);
    if (seed !== undefined && seed !== flags.seed) {
      report({
        event: "note",
        text:
          `Seed      ${seed}, with which the photos of the weights' run were split: they are split as they were there`,
      });
    }
    await train(runOptions({ ...flags, weights, seed: seed ?? flags.seed }), flags, report, stop.signal);
  } else {
    requireResumable(Deno.args);
    await resumeTraining(flags.resume, flags, flags, report, stop.signal);
  }
});
