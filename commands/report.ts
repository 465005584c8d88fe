/** `deno task report`: makes the report of a run again, or compares several. */
import { dirname, join } from "@std/path";
import { UserError } from "../engine/errors.ts";
import { printable } from "../engine/text.ts";
import { writeComparison } from "../report/comparison.ts";
import { writeRunReport } from "../report/run_report.ts";
import { compileProgress } from "../training/run/progress.ts";
import { textReporter } from "../training/run/reporter.ts";
import { requestTunedGpu } from "../model/tuned_gpu.ts";
import { flag, parseOrExit, UsageError } from "./cli/args.ts";
import { runCommand } from "./cli/failures.ts";
import { terminalColumns } from "./cli/terminal.ts";
import { shownPath } from "./cli/user_path.ts";

const NAME = "deno task report";

const flags = parseOrExit(Deno.args, {
  name: NAME,
  summary:
    "Makes report.html of a run again, from what the run told and one pass over its validation photos; of several runs, a page " +
    "that compares them.",
  usesGpu: true,
  flags: {
    out: flag.path({
      help: "the page that compares runs (default: comparison.html beside the first run)",
      value: "FILE",
    }),
  },
  positionals: { name: "RUN", min: 1, paths: true },
});

await runCommand(NAME, async () => {
  const { positionals: runs, out } = flags;
  const write = (text: string) => void Deno.stderr.writeSync(new TextEncoder().encode(text));
  const terminal = Deno.stderr.isTerminal();
  const report = textReporter(write, { terminal, ...terminal && { columns: terminalColumns() } });
  if (runs.length > 1) {
    const path = out ?? join(dirname(runs[0]!.replace(/[/\\]+$/, "")), "comparison.html");
    await writeComparison(runs, path);
    console.log(printable(shownPath(path)));
    return;
  }
  if (out !== undefined) {
    throw new UsageError("--out is for several runs: the report of one lies in its folder");
  }
  const [run] = runs;
  if (!(await Deno.stat(run!).catch(() => undefined))?.isDirectory) {
    throw new UserError(`Cannot report on ${run}: it is no folder; name a run's`);
  }
  using gpu = await requestTunedGpu({ onCompile: compileProgress(report) });
  const path = await writeRunReport(run!, {
    gpu,
    onNote: (text) => report({ event: "note", text }),
    onProgress: (done, total) =>
      report({ event: "progress", what: "Looking at validation photo", done, total }),
  });
  console.log(printable(shownPath(path)));
});
