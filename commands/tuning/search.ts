/**
 * The search behind `deno task tune`. Each product starts from its built-in tile and goes to the fastest of the tiles next to it for as
 * long as that gains something; whichever product takes most time goes on first, so that a search may end at any moment and has spent its
 * time where most was to be had. A winner must then compute what the built-in tile computes and stay ahead when both run in turns.
 */
import { type Gpu, GpuValidationError } from "../../engine/gpu.ts";
import { neighbours } from "../../engine/kernels/matmul/candidates.ts";
import { productKey, type TileChoice } from "../../engine/kernels/matmul/tiles.ts";
import type { Clock } from "../../engine/profile.ts";
import { milliseconds, prepare, type Prepared, type Product, type Results } from "./products.ts";

/** How thoroughly to search. */
export interface TuneOptions {
  readonly clock: Clock;
  /** Stop after so many seconds; what was found until then counts. */
  readonly maxSeconds: number;
  /** Stops the search as time does. */
  readonly signal?: AbortSignal;
  /** Sees each product when its search has ended, and how many are through. */
  readonly onProduct?: (outcome: Outcome, done: number) => void;
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
  /** Tiles timed. */
  readonly measured: number;
  /** Tiles that computed something else; they never win. */
  readonly wrong: readonly TileChoice[];
  /** Tiles that the device would not compile. */
  readonly refused: number;
}

/** What the search found. `complete` is false where it was stopped. */
export interface Tuning {
  readonly outcomes: readonly Outcome[];
  readonly complete: boolean;
  readonly seconds: number;
}

/** Largest normalised difference from the built-in tile's results. */
const TOLERANCE = 1e-5;

/** A step, and a winner, must take at most this share of the time before, or noise would decide. */
const GAIN = 0.97;

/** Bytes of the results of tiles that are timed together. */
const TOGETHER = 2 ** 29;

/** Searches the tiles of these products. */
export async function tune(gpu: Gpu, products: readonly Product[], options: TuneOptions): Promise<Tuning> {
  const start = performance.now();
  const seconds = () => (performance.now() - start) / 1000;
  const stopped = () => seconds() >= options.maxSeconds || options.signal?.aborted === true;
  const climbs: Climb[] = [];
  for (const product of products) {
    if (!stopped()) climbs.push(await Climb.start(gpu, product, options.clock));
  }
  const outcomes: Outcome[] = [];
  const end = async (climb: Climb) => {
    outcomes.push(await climb.outcome());
    options.onProduct?.(outcomes.at(-1)!, outcomes.length);
  };
  const going = [...climbs];
  while (going.length > 0 && !stopped()) {
    going.sort((a, b) => b.time - a.time);
    if (!await going[0]!.step()) await end(going.shift()!);
  }
  for (const climb of going) await end(climb);
  const complete = climbs.length === products.length && going.length === 0;
  return { outcomes, complete, seconds: seconds() };
}

/** The way of one product from tile to tile. */
class Climb {
  readonly #tried: Set<string>;
  /** The built-in choice and each that was faster than the one before. */
  readonly #path: TileChoice[];
  #measured = 1;
  #refused = 0;

  private constructor(
    readonly gpu: Gpu,
    readonly product: Product,
    readonly clock: Clock,
    readonly builtInTime: number,
    /** Of the last choice of the path. */
    public time = builtInTime,
  ) {
    this.#path = [product.choice];
    this.#tried = new Set([JSON.stringify(product.choice)]);
  }

  static async start(gpu: Gpu, product: Product, clock: Clock): Promise<Climb> {
    using usual = await prepare(gpu, product, product.choice);
    const [time] = await milliseconds([usual], clock, 3);
    return new Climb(gpu, product, clock, time!);
  }

  /** Goes to the fastest neighbour; false where none gains. */
  async step(): Promise<boolean> {
    const untried = neighbours(this.gpu, this.product.shape, this.#path.at(-1)!).filter((choice) => {
      const key = JSON.stringify(choice), isNew = !this.#tried.has(key);
      this.#tried.add(key);
      return isNew;
    });
    let best: TileChoice | undefined, bestTime = this.time * GAIN;
    while (untried.length > 0) {
      using owned = new DisposableStack();
      const together: { choice: TileChoice; prepared: Prepared }[] = [];
      const before = this.gpu.bytes;
      while (untried.length > 0 && this.gpu.bytes - before < TOGETHER) {
        const choice = untried.shift()!, prepared = await this.#prepare(choice);
        if (prepared) together.push({ choice, prepared: owned.use(prepared) });
      }
      const times = await milliseconds(together.map(({ prepared }) => prepared), this.clock, 3);
      this.#measured += together.length;
      together.forEach(({ choice }, i) => {
        if (times[i]! < bestTime) [best, bestTime] = [choice, times[i]!];
      });
    }
    if (!best) return false;
    this.#path.push(best);
    this.time = bestTime;
    return true;
  }

  async #prepare(choice: TileChoice): Promise<Prepared | undefined> {
    try {
      return await prepare(this.gpu, this.product, choice);
    } catch (error) {
      if (!(error instanceof GpuValidationError || error instanceof RangeError)) throw error;
      this.#refused++;
    }
  }

  /** The last choice of the path that computes the same and stays ahead. */
  async outcome(): Promise<Outcome> {
    const { product, clock } = this, builtIn = product.choice, wrong: TileChoice[] = [];
    let winner = builtIn, builtInMilliseconds = this.builtInTime, time = builtInMilliseconds;
    const better = this.#path.slice(1).reverse();
    using usual = better.length > 0 ? await prepare(this.gpu, product, builtIn) : undefined;
    const wanted = await usual?.results() ?? [];
    for (const choice of better) {
      using other = await prepare(this.gpu, product, choice);
      if (!sameResults(await other.results(), wanted)) {
        wrong.push(choice);
        continue;
      }
      const ours = await compare(usual!, other, clock);
      builtInMilliseconds = time = ours.usual;
      if (ours.other < ours.usual * GAIN) [winner, time] = [choice, ours.other];
      break;
    }
    const { m, n, k } = product.shape;
    return {
      layer: product.layer,
      key: productKey(product.shape),
      flops: 2 * m * n * k,
      builtIn,
      builtInMilliseconds,
      winner,
      milliseconds: time,
      measured: this.#measured,
      wrong,
      refused: this.#refused,
    };
  }
}

/** Best of five turns each, so that neither profits from a quiet moment. */
async function compare(
  usual: Prepared,
  other: Prepared,
  clock: Clock,
): Promise<{ usual: number; other: number }> {
  const turns: number[][] = [];
  for (let turn = 0; turn < 5; turn++) turns.push(await milliseconds([usual, other], clock, 1));
  const best = (i: number) => Math.min(...turns.map((times) => times[i]!));
  return { usual: best(0), other: best(1) };
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
