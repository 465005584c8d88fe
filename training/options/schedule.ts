/**
 * Learning rates over a run.
 * @module
 */

/** A learning-rate schedule's name. */
export type ScheduleName = "constant" | "step" | "cosine" | "one-cycle" | "range-test";

/** Every schedule, for command lines. */
export const SCHEDULES = [
  "constant",
  "step",
  "cosine",
  "one-cycle",
  "range-test",
] as const satisfies readonly ScheduleName[];

/** Share of a one-cycle run in which its rate rises (Smith 2018), where no warm-up is given. */
const ONE_CYCLE_RISE = 0.3;

/** Share of any other run that warms up, and the most steps of it, where no warm-up is given. */
const WARMUP = { share: 0.1, steps: 50 };

/**
 * Steps of warm-up of a run that was told none, and what they are as a phrase for people. `share`: of the run, where it was told that
 * (`pct_start` of torch's OneCycleLR).
 */
export function defaultWarmup(
  schedule: ScheduleName,
  steps: number,
  share?: number,
): { warmup: number; why: string } {
  if (share !== undefined) {
    return { warmup: Math.round(steps * share), why: `${Math.round(share * 1000) / 10} % of the run` };
  }
  if (schedule === "one-cycle") {
    return { warmup: Math.round(steps * ONE_CYCLE_RISE), why: "the rise of one-cycle, 30 % of the run" };
  }
  if (schedule === "range-test") return { warmup: 0, why: "a range test has none" };
  const warmup = Math.min(WARMUP.steps, Math.floor(steps * WARMUP.share));
  return { warmup, why: warmup === WARMUP.steps ? "the most by default" : "a tenth of the run" };
}

/** Share of the highest rate that a range test begins at. */
const RANGE = 1e-5;

/** What a schedule depends on. */
export interface ScheduleOptions {
  /** How the rate goes. */
  readonly schedule: ScheduleName;
  /** The highest rate. */
  readonly lr: number;
  /** Steps of the whole run. */
  readonly steps: number;
  /** Steps of linear warm-up from near 0; for `one-cycle`, 0 means 30 % of the run. */
  readonly warmup: number;
  /** Share of `lr` that `cosine` and `one-cycle` end at; default 0. */
  readonly finalLr?: number | undefined;
}

/**
 * Learning rate of a step, counted from 0. `step` divides by ten after each third of the run; `cosine` falls to `finalLr` as half a
 * cosine (Loshchilov and Hutter 2017); `one-cycle` rises and falls to it as half cosines (Smith 2018); `range-test` rises by the same
 * factor at every step, from a hundred-thousandth on (Smith 2017), and is for finding a rate: it has no warm-up.
 */
export function learningRate(
  { schedule, lr, steps, warmup, finalLr = 0 }: ScheduleOptions,
  step: number,
): number {
  if (schedule === "range-test") return lr * RANGE ** (1 - Math.min(1, (step + 1) / steps));
  const rise = schedule === "one-cycle" && warmup === 0 ? Math.round(steps * ONE_CYCLE_RISE) : warmup;
  if (step < rise) {
    const part = (step + 1) / rise;
    return schedule === "one-cycle" ? lr * (1 / 25 + (1 - 1 / 25) * halfCosine(part)) : lr * part;
  }
  const part = steps > rise ? (step - rise) / (steps - rise) : 0;
  switch (schedule) {
    case "constant":
      return lr;
    case "step":
      return lr * 0.1 ** Math.floor(3 * Math.min(part, 0.999999));
    case "cosine":
    case "one-cycle":
      return lr * (finalLr + (1 - finalLr) * (1 - halfCosine(Math.min(part, 1))));
  }
}

/** 0 at 0, 1 at 1, level at both ends. */
function halfCosine(part: number): number {
  return (1 - Math.cos(Math.PI * part)) / 2;
}

/**
 * That a run of `from` steps that becomes one of `to` goes on with a higher rate than it had, as a line for people; undefined where it
 * does not. `done` of its steps, at least one, are done.
 */
export function lengthenedText(
  options: Omit<ScheduleOptions, "steps">,
  from: number,
  to: number,
  done: number,
): string | undefined {
  const had = learningRate({ ...options, steps: from }, done - 1);
  const next = learningRate({ ...options, steps: to }, done);
  // Within a warm-up it rises in any case.
  if (done === 0 || done >= to || done < options.warmup || next <= had) return undefined;
  return `Lengthened from ${from} to ${to} steps: the ${options.schedule} schedule is stretched over all of them, ` +
    `so the learning rate rises from ${had.toPrecision(2)} to ${next.toPrecision(2)}`;
}
