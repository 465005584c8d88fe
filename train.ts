/** `deno task train`: parses flags and connects data, network and training loop. */
import { parseOrExit } from "./commands/cli/args.ts";
import { describeFailure, runCommand } from "./commands/cli/failures.ts";
import { dryRun, overfitBatch } from "./commands/trial_runs.ts";
import { withRanks } from "./commands/cli/ranks.ts";
import { terminalColumns } from "./commands/cli/terminal.ts";
import { shownPath } from "./commands/cli/user_path.ts";
import {
  optionsOfFlags,
  requireOneLength,
  requireResumable,
  TRAIN_COMMAND,
} from "./commands/train_command.ts";
import type { Communicator } from "./distributed/communicator.ts";
import { UserError } from "./engine/errors.ts";
import { checkpointAt } from "./model/checkpoint/runs.ts";
import { reportRuns, writeModelCards } from "./report/after_training.ts";
import { Dashboard } from "./report/dashboard.ts";
import { type Follower, Recorder } from "./report/recorder.ts";
import { TensorboardWriter } from "./report/tensorboard.ts";
import { RUN_OPTIONS } from "./training/options/options.ts";
import type { Reporter, RunEvent } from "./training/run/events.ts";
import { jsonReporter, textReporter } from "./training/run/reporter.ts";
import { startOfWeights } from "./training/run/seen_before.ts";
import { trainFolds } from "./training/search/folds.ts";
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
  let stopped = false, silent = false, by: keyof typeof CODES | undefined;
  // Nothing is kept of a run that is only tried, and nothing of it is shown.
  const kept = !flags.dryRun && !flags.overfitBatch;
  let dashboard: Dashboard | undefined;
  const followers: Follower[] = flags.tensorboard ? [new TensorboardWriter()] : [];
  using recorder = kept ? new Recorder({ command: Deno.args, followers }) : undefined;
  // What is next is told last, once the files beside the checkpoints are written.
  let end: RunEvent | undefined;
  const tellEnd = () => {
    if (end) tell(withShownPaths(end));
    end = undefined;
  };
  const report: Reporter = (event) => {
    stopped ||= event.event === "end" && event.stopped;
    // One rank speaks for all.
    if (silent) return;
    recorder?.add(event);
    if (event.event === "start" || event.event === "folds") tellEnd();
    if (event.event === "end" && recorder) end = event;
    else tell(withShownPaths(event));
  };
  const writeReports = async () => {
    if (recorder) await writeModelCards(recorder.folders, tell, shownPath);
    if (recorder && flags.report) await reportRuns(recorder.folders, tell, shownPath);
    tellEnd();
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
  const onRanks = (text: string) => report({ event: "note", text });
  const work = async (ranks: Communicator) => {
    silent = ranks.rank > 0;
    if (kept && !silent && flags.dashboard !== false) {
      dashboard = await Dashboard.start(flags.dashboard === true ? undefined : flags.dashboard);
      followers.push(dashboard);
      tell({ event: "note", text: `Dashboard ${dashboard.url}` });
    }
    if (flags.resume === undefined) {
      // What is recorded is the file: which run is the newest may have changed when this one goes on.
      const weights = flags.weights === undefined ? undefined : await checkpointAt(
        flags.weights,
        (text) => report({ event: "note", text }),
      );
      const distill = flags.distill === undefined ? undefined : await checkpointAt(
        flags.distill,
        (text) => report({ event: "note", text }),
      );
      const start = weights === undefined ? undefined : await startOfWeights(weights);
      // The same photos are split as they were for the weights: what those were trained on is no test.
      const seed = flags.seed ?? start?.seed;
      if (flags.seed === undefined && seed !== undefined && seed !== RUN_OPTIONS.seed.parse(undefined)) {
        report({
          event: "note",
          text:
            `Seed      ${seed}, with which the photos of the weights' run were split: they are split as they were there`,
        });
      }
      // Without a --model it is the weights' own, on inputs as large as theirs.
      const own = flags.model === undefined && start?.model !== undefined ? start : undefined;
      const model = flags.model ?? own?.model, size = flags.size ?? own?.size;
      if (own) report({ event: "note", text: `Start     ${model} at ${size}x${size}, as the weights are` });
      const trial = flags.dryRun ? dryRun : flags.overfitBatch ? overfitBatch : undefined;
      const options = optionsOfFlags({ ...flags, weights, distill, seed, model, size });
      const all = options.folds !== undefined && options.fold === undefined;
      if (all && ranks.size > 1) {
        throw new UserError("--folds needs a --fold beside --distributed: one run at a time");
      }
      await (trial ?? (all ? trainFolds : train))(
        ...[
          options,
          { ...flags, autoBatch: flags.batchSize === "auto" },
          report,
          stop.signal,
          ranks,
        ] as const,
      );
    } else {
      requireResumable(Deno.args);
      await resumeTraining(flags.resume, flags, flags, report, stop.signal, ranks);
    }
  };
  try {
    await withRanks(flags.distributed, TRAIN_COMMAND.name, onRanks, work);
  } catch (error) {
    if (by === undefined || error !== stop.signal.reason) throw error;
    console.error(describeFailure(TRAIN_COMMAND.name, error));
    return CODES[by];
  } finally {
    // Also of a run that was stopped or diverged: it has curves to look at.
    await writeReports();
    await dashboard?.close();
  }
  // A signal that came once the run had ended stopped nothing.
  return stopped && by !== undefined ? CODES[by] : 0;
});

/** A run's paths as people can type them in the next command. */
function withShownPaths(event: RunEvent): RunEvent {
  if (event.event === "start" && !flags.dryRun && !flags.overfitBatch) {
    return { ...event, out: shownPath(event.out) };
  }
  if (event.event === "folds") return { ...event, out: shownPath(event.out) };
  if (event.event !== "end") return event;
  return { ...event, last: shownPath(event.last), best: event.best && shownPath(event.best) };
}
