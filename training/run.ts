/**
 * A whole run: epochs, validation, checkpoints, the final test.
 * @module
 */
import type { ModelCard } from "../model/checkpoint/card.ts";
import type { Network } from "../model/network.ts";
import type { Evaluation } from "./evaluate.ts";
import type { RunOptions } from "./options.ts";
import type { RunControl, RunData } from "./run_control.ts";
import { RunLoop } from "./run_loop.ts";

/** Trains `network` and returns the best checkpoint's result, or undefined if stopped or untested. */
export async function runTraining(
  network: Network,
  data: RunData,
  options: RunOptions,
  card: Omit<ModelCard, "training">,
  control: RunControl,
): Promise<Evaluation | undefined> {
  const started = performance.now();
  const run = await RunLoop.open(network, data, options, card, control);
  try {
    const stopped = await run.train();
    const last = stopped ? await run.saveLast() : control.folder.file("last.safetensors");
    const { split, result } = stopped ? { split: "none" as const, result: undefined } : await run.test();
    const seconds = (performance.now() - started) / 1000;
    const best = run.progress.best && control.folder.file("best.safetensors");
    control.report({ event: "end", stopped, seconds, split, result, best, last });
    return result;
  } finally {
    await run.close();
  }
}
