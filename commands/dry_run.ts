/**
 * `deno task train --dry-run`: whether a run would start, without one.
 * @module
 */
import { join } from "@std/path";
import type { PlaceOptions, RunOptions } from "../training/options.ts";
import type { Reporter } from "../training/reporter.ts";
import { train } from "../training/train.ts";

/**
 * Opens the photos, builds the network and everything that the run would need, makes its first step, and keeps nothing but the decoded
 * photos. Throws as `train` does.
 */
export async function dryRun(
  options: RunOptions,
  places: PlaceOptions,
  report: Reporter,
  signal: AbortSignal,
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "dry-run-" });
  // A run that is stopped finishes its step, so one that is stopped as it starts makes one.
  const started = new AbortController();
  try {
    await train(options, { ...places, out: join(folder, "run") }, (event) => {
      if (event.event === "start") {
        report({ ...event, out: "none, as this is a dry run" });
        started.abort();
      } else if (event.event === "end") {
        report({
          event: "note",
          text: "Dry run   the first step was made and nothing of it is kept: the run would start",
        });
      } else report(event);
    }, AbortSignal.any([signal, started.signal]));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
