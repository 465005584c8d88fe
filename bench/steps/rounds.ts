/** @module */
import { median } from "../../engine/profile.ts";

/** Does so many steps and resolves when the device has finished them. */
export type Runner = (steps: number) => Promise<void>;

/** How long to measure. */
export interface Rounds {
  /** Rounds, of which medians are taken. */
  readonly rounds: number;
  /** What a round should take. */
  readonly milliseconds: number;
  /** Most steps of a round. */
  readonly most?: number;
}

/** One runner's rounds. */
export interface Timed {
  /** Milliseconds of one step, one number a round. */
  readonly milliseconds: readonly number[];
  readonly median: number;
  /** Steps in each round. */
  readonly steps: number;
}

/** Steps that fill a round of `milliseconds` when one takes `one`; 1 to `most`. */
export function stepsPerRound(one: number, milliseconds: number, most = 1000): number {
  return Math.max(1, Math.min(most, Math.round(milliseconds / one)));
}

/** Times the runners in turn, round by round, after one step each that is dropped and one that tells how many fill a round. */
export async function timeRounds(
  runners: readonly Runner[],
  { rounds, milliseconds, most }: Rounds,
): Promise<Timed[]> {
  const taking: { run: Runner; steps: number; milliseconds: number[] }[] = [];
  for (const run of runners) {
    await run(1);
    taking.push({ run, steps: stepsPerRound(await timed(run, 1), milliseconds, most), milliseconds: [] });
  }
  for (let round = 0; round < rounds; round++) {
    for (const { run, steps, milliseconds } of taking) milliseconds.push(await timed(run, steps) / steps);
  }
  return taking.map(({ milliseconds, steps }) => ({ milliseconds, steps, median: median(milliseconds) }));
}

/** The median over rounds of how many times as long one takes as the other. */
export function ratioOf(one: Timed, other: Timed): number {
  return median(one.milliseconds.map((ms, round) => ms / other.milliseconds[round]!));
}

async function timed(run: Runner, steps: number): Promise<number> {
  const start = performance.now();
  await run(steps);
  return performance.now() - start;
}
