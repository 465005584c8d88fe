/**
 * Runs of `deno task train` that are tried and not kept: `--dry-run` and `--overfit-batch`.
 * @module
 */
import { join } from "@std/path";
import type { Communicator } from "../distributed/communicator.ts";
import { count } from "../engine/text.ts";
import type { PlaceOptions, RunOptions } from "../training/options/options.ts";
import type { Reporter } from "../training/run/events.ts";
import { train } from "../training/train.ts";

/** What the `start` event calls a run's folder. */
const NO_FOLDER = "none, as nothing of it is kept";

/**
 * Opens the photos, builds the network and everything that the run would need, makes its first step, and keeps nothing but the decoded
 * photos. Throws as `train` does.
 */
export async function dryRun(
  options: RunOptions,
  places: PlaceOptions,
  report: Reporter,
  signal: AbortSignal,
  ranks?: Communicator,
): Promise<void> {
  // A run that is stopped finishes its step, so one that is stopped as it starts makes one.
  const started = new AbortController();
  await inNoFolder(
    options,
    places,
    (event) => {
      if (event.event === "end") {
        return report({ event: "note", text: "Dry run   the first step was made: the run would start" });
      }
      report(event);
      if (event.event === "start") started.abort();
    },
    AbortSignal.any([signal, started.signal]),
    ranks,
  );
}

/** Learns one batch by heart, or says that it cannot; keeps nothing but the decoded photos. Throws as `train` does. */
export async function overfitBatch(
  options: RunOptions,
  places: PlaceOptions,
  report: Reporter,
  signal: AbortSignal,
  ranks?: Communicator,
): Promise<void> {
  await inNoFolder(
    options,
    places,
    (event) => {
      if (event.event !== "end" || !event.result) return report(event);
      const { n, accuracy, loss } = event.result;
      const text = accuracy === 1
        ? `Overfit   the network can learn a batch by heart: all ${n} photos right, loss ${loss.toFixed(4)}`
        : `Overfit   after ${count(event.step, "step")} ${
          Math.round(accuracy * n)
        } of the batch's ${n} photos are right, loss ` +
          `${
            loss.toFixed(4)
          }: a network that learns gets all; look at the learning rate, the labels and --steps`;
      report({ event: "note", text });
    },
    signal,
    ranks,
  );
}

async function inNoFolder(
  options: RunOptions,
  places: PlaceOptions,
  report: Reporter,
  signal: AbortSignal,
  ranks?: Communicator,
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "trial-run-" });
  try {
    await train(
      options,
      { ...places, out: join(folder, "run") },
      (event) => {
        report(event.event === "start" ? { ...event, out: NO_FOLDER } : event);
      },
      signal,
      ranks,
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
