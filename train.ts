/** `deno task train`: parses flags and connects data, network and training loop. */
import { parseOrExit } from "./cli/args.ts";
import { runCommand } from "./cli/failures.ts";
import { runOptions, TRAIN_COMMAND } from "./training/flags.ts";
import { jsonReporter, textReporter } from "./training/reporter.ts";
import { train } from "./training/train.ts";

const flags = parseOrExit(Deno.args, TRAIN_COMMAND);

await runCommand(TRAIN_COMMAND.name, async () => {
  const encoder = new TextEncoder();
  const write = (text: string) => void Deno.stdout.writeSync(encoder.encode(text));
  const terminal = Deno.stdout.isTerminal();
  const report = flags.json
    ? jsonReporter(console.log)
    : textReporter(write, { terminal, ...terminal && { columns: Deno.consoleSize().columns } });
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    if (signal === "SIGTERM" && Deno.build.os === "windows") continue;
    Deno.addSignalListener(signal, () => {
      // The second Ctrl-C does not wait for the step.
      if (stop.signal.aborted) Deno.exit(130);
      stop.abort();
    });
  }
  await train(
    runOptions(flags),
    { out: flags.out, workers: flags.workers, cacheDir: flags.cache },
    report,
    stop.signal,
  );
});
