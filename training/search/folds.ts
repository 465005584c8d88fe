/**
 * Cross-validation: one run for each fold, and what they come to together.
 * @module
 */
import { basename, join } from "@std/path";
import type { PlaceOptions, RunOptions } from "../options/options.ts";
import type { FoldFigures, Reporter } from "../run/events.ts";
import { newRunPath } from "../run/run_folder.ts";
import { train } from "../train.ts";

/**
 * Trains a run for each of the options' folds, in folders `fold-1` and so on of `out`, and reports the accuracy over all. Stops with a run
 * that is stopped. Throws as `train` does.
 */
export async function trainFolds(
  options: RunOptions,
  places: PlaceOptions,
  report: Reporter,
  signal?: AbortSignal,
): Promise<void> {
  const { folds, data, model } = options;
  if (folds === undefined) throw new RangeError("Cannot train folds: their number is not given");
  const out = places.out ?? newRunPath(`${basename(data ?? "shapes")}-${folds}-folds`, model);
  const best: number[] = [], last: number[] = [];
  let n = 0;
  for (let fold = 1; fold <= folds; fold++) {
    report({ event: "note", text: `Fold      ${fold} of ${folds}` });
    let latest: number | undefined;
    const result = await train(
      { ...options, fold },
      { ...places, out: join(out, `fold-${fold}`) },
      (event) => {
        if (event.event === "epoch") latest = event.valid?.accuracy;
        report(event);
      },
      signal,
    );
    if (result === undefined || signal?.aborted) {
      const text = `Stopped   in fold ${fold} of ${folds}; go on with it by --resume ${
        join(out, `fold-${fold}`)
      }, with the others by --fold`;
      return report({ event: "note", text });
    }
    best.push(result.accuracy);
    last.push(latest ?? result.accuracy);
    n += result.n;
  }
  report({ event: "folds", n, best: figures(best), last: figures(last), out });
}

function figures(accuracy: readonly number[]): FoldFigures {
  const mean = accuracy.reduce((a, b) => a + b, 0) / accuracy.length;
  const squares = accuracy.reduce((sum, share) => sum + (share - mean) ** 2, 0);
  return { accuracy, mean, deviation: Math.sqrt(squares / (accuracy.length - 1)) };
}
