/**
 * The search behind `deno task tune`: every candidate of every product is checked against the built-in tile's results, then
 * timed; the fastest wins if it stays ahead when both run in turns.
 * @module
 */
import { type Gpu, GpuValidationError } from "../../engine/gpu.ts";
import { candidates } from "../../engine/kernels/matmul/candidates.ts";
import { productKey, type TileChoice } from "../../engine/kernels/matmul/tiles.ts";
import type { Clock } from "../../engine/profile.ts";
import { prepare, type Prepared, type Product, type Results } from "./products.ts";

/** How thoroughly to search. */
export interface TuneOptions {
  readonly clock: Clock;
  /** Only the built-in choice's nearest neighbours. */
  readonly quick: boolean;
  /** Stop after so many seconds; what is not measured keeps its built-in tile. */
  readonly maxSeconds: number;
  /** Sees how long it will take before it starts. */
  readonly onPlan?: (
    plan: { readonly products: number; readonly candidates: number; readonly seconds: number },
  ) => void;
  /** Sees each product's outcome and the seconds that are left. */
  readonly onProduct?: (outcome: Outcome, secondsLeft: number) => void;
}

/** What became of one product. */
export interface Outcome {
  readonly layer: string;
  readonly key: string;
  /** Multiply-adds count as two. */
  readonly flops: number;
  readonly builtIn: TileChoice;
  readonly builtInMilliseconds: number;
  readonly winner: TileChoice;
  readonly milliseconds: number;
  /** Candidates timed. */
  readonly measured: number;
  /** Candidates that computed something else; they never win. */
  readonly wrong: readonly TileChoice[];
  /** Candidates that the device would not compile. */
  readonly refused: number;
}

/** What the search found. `complete` is false where time ran out. */
export interface Tuning {
  readonly outcomes: readonly Outcome[];
  readonly complete: boolean;
  readonly seconds: number;
}

/** Largest normalised difference from the built-in tile's results. */
const TOLERANCE = 1e-5;

/** A winner must take at most this share of the built-in tile's time, or noise would decide. */
const GAIN = 0.97;

/** Searches the tiles of these products. */
export async function tune(gpu: Gpu, products: readonly Product[], options: TuneOptions): Promise<Tuning> {
  const start = performance.now();
  const seconds = () => (performance.now() - start) / 1000;
  const work = products.map((product) => ({
    product,
    choices: candidates(gpu, product.shape, options.quick),
  }));
  const costs = await estimate(gpu, work, options.clock);
  let left = costs.reduce((sum, s) => sum + s, 0);
  const total = work.reduce((sum, { choices }) => sum + choices.length, 0);
  options.onPlan?.({ products: work.length, candidates: total, seconds: Math.min(left, options.maxSeconds) });
  const outcomes: Outcome[] = [];
  const deadline = start + options.maxSeconds * 1000;
  // How much the estimate is off so far.
  let spent = 0, expected = 0;
  for (const [i, item] of work.entries()) {
    if (performance.now() > deadline) break;
    const before = seconds();
    const outcome = await searchProduct(gpu, item, options.clock, deadline);
    outcomes.push(outcome);
    spent += seconds() - before;
    expected += costs[i]!;
    left -= costs[i]!;
    const scaled = Math.max(0, left) * spent / expected;
    options.onProduct?.(outcome, Math.min(scaled, options.maxSeconds - seconds()));
  }
  return {
    outcomes,
    complete: outcomes.length === work.length && performance.now() <= deadline,
    seconds: seconds(),
  };
}

interface Work {
  readonly product: Product;
  readonly choices: readonly TileChoice[];
}

/**
 * Seconds that each product will take, from its built-in tile: every candidate is compiled, checked and timed, the nearly best ones
 * twice, and the best runs against the built-in one.
 */
async function estimate(gpu: Gpu, work: readonly Work[], clock: Clock): Promise<number[]> {
  const costs: number[] = [];
  for (const { product, choices } of work) {
    const start = performance.now();
    using prepared = await prepare(gpu, product, choices[0]!);
    await prepared.results();
    const checked = performance.now();
    await prepared.milliseconds(clock, 1);
    const timed = performance.now();
    const each = checked - start + 2 * (timed - checked);
    costs.push((each * choices.length + 12 * (timed - checked)) / 1000);
  }
  return costs;
}

async function searchProduct(
  gpu: Gpu,
  { product, choices }: Work,
  clock: Clock,
  deadline: number,
): Promise<Outcome> {
  const builtIn = choices[0]!, { shape } = product;
  using usual = await prepare(gpu, product, builtIn);
  const wanted = await usual.results();
  let best = builtIn, bestTime = await usual.milliseconds(clock, 3);
  const wrong: TileChoice[] = [];
  let measured = 1, refused = 0;
  for (const choice of choices.slice(1)) {
    if (performance.now() > deadline) break;
    try {
      using prepared = await prepare(gpu, product, choice);
      if (!sameResults(await prepared.results(), wanted)) {
        wrong.push(choice);
        continue;
      }
      measured++;
      let time = await prepared.milliseconds(clock, 1);
      // Once more where one run may have been unlucky.
      if (time < bestTime * 1.3) time = Math.min(time, await prepared.milliseconds(clock, 3));
      if (time < bestTime) [best, bestTime] = [choice, time];
    } catch (error) {
      if (!(error instanceof GpuValidationError || error instanceof RangeError)) throw error;
      refused++;
    }
  }
  using other = await prepare(gpu, product, best);
  const { builtInMilliseconds, milliseconds } = await compare(usual, other, clock);
  const wins = milliseconds < builtInMilliseconds * GAIN;
  return {
    layer: product.layer,
    key: productKey(shape),
    flops: 2 * shape.m * shape.n * shape.k,
    builtIn,
    builtInMilliseconds,
    winner: wins ? best : builtIn,
    milliseconds: wins ? milliseconds : builtInMilliseconds,
    measured,
    wrong,
    refused,
  };
}

/** Best of five turns each, so that neither profits from a quiet moment. */
async function compare(
  usual: Prepared,
  other: Prepared,
  clock: Clock,
): Promise<{ builtInMilliseconds: number; milliseconds: number }> {
  let builtInMilliseconds = Infinity, milliseconds = Infinity;
  for (let turn = 0; turn < 5; turn++) {
    builtInMilliseconds = Math.min(builtInMilliseconds, await usual.milliseconds(clock, 1));
    milliseconds = Math.min(milliseconds, await other.milliseconds(clock, 1));
  }
  return { builtInMilliseconds, milliseconds };
}

/** Whether every tensor has the wanted values but for rounding. */
export function sameResults(got: Results, wanted: Results): boolean {
  return wanted.every((values, i) => {
    let difference = 0, size = 0;
    for (let j = 0; j < values.length; j++) {
      difference += (got[i]![j]! - values[j]!) ** 2;
      size += values[j]! ** 2;
    }
    // A NaN compares as false.
    return Math.sqrt(difference) <= TOLERANCE * Math.sqrt(size);
  });
}
