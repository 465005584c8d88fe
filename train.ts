/** `deno task train`: parses flags and connects data, network and training loop. */
import { givenFlags, parseOrExit } from "./commands/cli/args.ts";
import { describeFailure, runCommand } from "./commands/cli/failures.ts";
import { terminalColumns } from "./commands/cli/terminal.ts";
import { shownPath } from "./commands/cli/user_path.ts";
import {
  optionsOfFlags,
  requireOneLength,
  requireResumable,
  TRAIN_COMMAND,
} from "./commands/train_command.ts";
import { UserError } from "./engine/errors.ts";
import { checkpointAt } from "./model/checkpoint/runs.ts";
import { jsonReporter, type Reporter, type RunEvent, textReporter } from "./training/reporter.ts";
import { seedOfWeights } from "./training/seen_before.ts";
import { resumeTraining, train } from "./training/train.ts";

/** What a shell calls the end by a signal, so that `train && evaluate` ends there too. */
const CODES = { SIGINT: 130, SIGTERM: 143 };

const flags = parseOrExit(Deno.args, TRAIN_COMMAND);

await runCommand(TRAIN_COMMAND.name, async () => {
  requireOneLength(Deno.args);
  const encoder = new TextEncoder();
  const write = (text: string) => void Deno.stdout.writeSync(encoder.encode(text));
  const terminal = Deno.stdout.isTerminal();
  const tell = flags.json
    ? jsonReporter(console.log)
    : textReporter(write, { terminal, ...terminal && { columns: terminalColumns() } });
  let stopped = false, by: keyof typeof CODES | undefined;
  const report: Reporter = (event) => {
    stopped ||= event.event === "end" && event.stopped;
    tell(withShownPaths(event));
  };
  const stop = new AbortController();
  for (const signal of Object.keys(CODES) as (keyof typeof CODES)[]) {
    if (signal === "SIGTERM" && Deno.build.os === "windows") continue;
    Deno.addSignalListener(signal, () => {
      // The second Ctrl-C does not wait for the step.
      if (stop.signal.aborted) Deno.exit(CODES[signal]);
      by = signal;
      stop.abort(new UserError("Stopped before training began"));
    });
  }
  try {
    if (flags.resume === undefined) {
      // What is recorded is the file: which run is the newest may have changed when this one goes on.
      const weights = flags.weights === undefined ? undefined : await checkpointAt(
        flags.weights,
        (text) => report({ event: "note", text }),
      );
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
      await train(
        optionsOfFlags({ ...flags, weights, seed: seed ?? flags.seed }),
        flags,
        report,
        stop.signal,
      );
    } else {
      requireResumable(Deno.args);
      await resumeTraining(flags.resume, flags, flags, report, stop.signal);
    }
  } catch (error) {
    if (by === undefined || error !== stop.signal.reason) throw error;
    console.error(describeFailure(TRAIN_COMMAND.name, error));
    return CODES[by];
  }
  // A signal that came once the run had ended stopped nothing.
  return stopped && by !== undefined ? CODES[by] : 0;
});

/** A run's paths as people can type them in the next command. */
function withShownPaths(event: RunEvent): RunEvent {
  if (event.event === "start") return { ...event, out: shownPath(event.out) };
  if (event.event !== "end") return event;
  return { ...event, last: shownPath(event.last), best: event.best && shownPath(event.best) };
}
