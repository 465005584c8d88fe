/**
 * Finding a learning rate by a range test (Smith 2017, "Cyclical Learning Rates for Training Neural Networks"): a short run whose rate rises
 * until the loss does.
 * @module
 */
import type { PlaceOptions, RunOptions } from "../options/options.ts";
import { DivergedError } from "../run/progress.ts";
import type { Reporter } from "../run/events.ts";
import type { ScheduleName } from "../options/schedule.ts";
import { train } from "../train.ts";

/** A reading of a range test. */
export interface RatePoint {
  /** The rate of the last of its steps. */
  readonly lr: number;
  /** Mean training loss of these steps. */
  readonly loss: number;
}

/** What a range test found. */
export interface FoundRate {
  /** In the order of the rates; ends where the loss went away. */
  readonly points: readonly RatePoint[];
  /** Where the smoothed loss was lowest. */
  readonly lowest: number;
  /** The highest rate at which it had not risen again by more than a quarter of what it had fallen. */
  readonly edge: number;
  /** The highest rate of a run, to one digit: `edge` where it is reached for a moment only, as by one-cycle, a third of it elsewhere. */
  readonly suggested: number;
}

/** How far the loss may rise again, as a share of its fall: with a tenth, one noisy reading decides. */
const RISE = 1 / 4;

/** Readings of which something can be said. */
export const FEWEST = 5;

/** A loss so many times the lowest one will not come back. */
const GONE = 4;

/**
 * Makes the first `steps` steps of a run with a rate that rises to `highest`, in the folder `places.out`. Resolves with undefined where
 * `signal` stopped it; throws as `train` does, and a `RangeError` where there are fewer than five readings.
 */
export async function testRates(
  options: RunOptions,
  { steps, highest }: { readonly steps: number; readonly highest: number },
  places: PlaceOptions,
  report: Reporter,
  signal?: AbortSignal,
): Promise<RatePoint[] | undefined> {
  const points: RatePoint[] = [], gone = new AbortController();
  const test: RunOptions = {
    ...options,
    ...{ schedule: "range-test", lr: highest, steps, warmup: 0, pctStart: undefined },
    // An average lags behind, and what has no better epoch must not end.
    ...{ ema: undefined, patience: undefined, size: options.startSize ?? options.size, startSize: undefined },
  };
  try {
    await train(test, places, (event) => {
      report(event);
      if (event.event !== "step") return;
      points.push({ lr: event.lr, loss: event.loss });
      const lowest = Math.min(...points.map(({ loss }) => loss));
      if (!(event.loss <= GONE * lowest)) gone.abort();
    }, signal ? AbortSignal.any([signal, gone.signal]) : gone.signal);
  } catch (error) {
    // That it diverges in the end is what is looked for.
    if (!(error instanceof DivergedError) || points.length === 0) throw error;
  }
  return signal?.aborted ? undefined : points;
}

/** Judges the readings of a range test for a run of that schedule; throws a `RangeError` where there are fewer than five. */
export function judgeRates(points: readonly RatePoint[], schedule: ScheduleName): FoundRate {
  if (points.length < FEWEST) {
    throw new RangeError(
      `Cannot judge learning rates: got ${points.length} readings, wanted at least ${FEWEST}`,
    );
  }
  // Each with its neighbours: one reading is of few photos.
  const smooth = points.map((_, i) => {
    const near = points.slice(Math.max(0, i - 1), i + 2);
    return near.reduce((sum, { loss }) => sum + loss, 0) / near.length;
  });
  const at = smooth.indexOf(Math.min(...smooth));
  const allowed = smooth[at]! + RISE * (smooth[0]! - smooth[at]!);
  const after = smooth.findIndex((loss, i) => i > at && !(loss <= allowed));
  const edge = points[after < 0 ? points.length - 1 : after - 1]!.lr;
  const suggested = Number((schedule === "one-cycle" ? edge : edge / 3).toPrecision(1));
  return { points, lowest: points[at]!.lr, edge, suggested };
}
