/** `deno task train`: parses flags and connects data, network and training loop. */
import { parseOrExit } from "./commands/cli/args.ts";
import { runCommand } from "./commands/cli/failures.ts";
import { terminalColumns } from "./commands/cli/terminal.ts";
import { shownPath } from "./commands/cli/user_path.ts";
import { optionsOfFlags, requireResumable, TRAIN_COMMAND } from "./commands/train_command.ts";
import { checkpointAt } from "./model/checkpoint/runs.ts";
import { jsonReporter, type Reporter, type RunEvent, textReporter } from "./training/reporter.ts";
import { resumeTraining, train } from "./training/train.ts";

const flags = parseOrExit(Deno.args, TRAIN_COMMAND);

await runCommand(TRAIN_COMMAND.name, async () => {
  const encoder = new TextEncoder();
  const write = (text: string) => void Deno.stdout.writeSync(encoder.encode(text));
  const terminal = Deno.stdout.isTerminal();
  const tell = flags.json
    ? jsonReporter(console.log)
    : textReporter(write, { terminal, ...terminal && { columns: terminalColumns() } });
  const report: Reporter = (event) => tell(withShownPaths(event));
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
    const weights = flags.weights === undefined ? undefined : await checkpointAt(
      flags.weights,
      (text) => report({ event: "note", text }),
    );
    await train(optionsOfFlags({ ...flags, weights }), flags, report, stop.signal);
  } else {
    requireResumable(Deno.args);
    await resumeTraining(flags.resume, flags, flags, report, stop.signal);
  }
});

/** A run's paths as people can type them in the next command. */
function withShownPaths(event: RunEvent): RunEvent {
  if (event.event === "start") return { ...event, out: shownPath(event.out) };
  if (event.event !== "end") return event;
  return { ...event, last: shownPath(event.last), best: event.best && shownPath(event.best) };
}
