/**
 * Dynamic batching: requests that arrive together go through the network together.
 *
 * A request first reserves its places, so that overload is refused before anything is decoded, then hands in its inputs. While the
 * device is busy, inputs collect. An idle device starts at once, unless other requests hold places and are about to
 * hand in theirs: for those it waits, `maxDelayMs` at most.
 * @module
 */
import type { DecodedImage } from "../../data/image/image.ts";
import type { Classification, Classifier } from "../../model/inference/classifier_types.ts";
import { OverloadError, tooManyInputs } from "./errors.ts";

/** A classifier that takes the inputs of a pass one by one. */
export interface RowClassifier extends Classifier {
  /** As `classify`, of preprocessed inputs `[3, height, width]`, the bytes of one per row: float32, little-endian. */
  classifyRows(rows: readonly Uint8Array[]): Promise<Classification[]>;
}

/** How requests are gathered. */
export interface BatcherOptions {
  /** Inputs in one pass at most. */
  readonly maxBatch: number;
  /** How long an idle device waits for inputs that are on their way. */
  readonly maxDelayMs: number;
  /** Places: inputs that are being decoded, queued or computed at most. */
  readonly maxQueue: number;
  /** As long as this an input may expect to wait for those before it; two passes are filled however long they take. */
  readonly maxWaitMs: number;
  /** Called after every pass with its size. */
  readonly onBatch?: (size: number) => void;
}

/** A result and where the time went. */
export interface Timed<T> {
  readonly value: T;
  /** From handing the input in to the start of its pass. */
  readonly queueMs: number;
  /** The pass, shared with the rest of its batch. */
  readonly computeMs: number;
}

/** Inputs of different kinds never share a pass. */
type Kind = "photo" | "explained photo" | "tensor";

interface Job {
  readonly kind: Kind;
  readonly input: DecodedImage | Uint8Array;
  readonly arrived: number;
  readonly resolve: (answer: Timed<Classification>) => void;
  readonly reject: (reason: unknown) => void;
  readonly signal: AbortSignal;
}

/** Gathers the inputs of one model. */
export class Batcher {
  readonly #classifier: RowClassifier;
  readonly #options: BatcherOptions;
  readonly #maxBatch: number;
  #queue: Job[] = [];
  #announced = 0;
  #computing = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #pace = new Pace();
  /** Requests that are not answered yet. */
  readonly #reserved = new Set<Reservation>();
  #idle: (() => void)[] = [];

  constructor(classifier: RowClassifier, options: BatcherOptions) {
    this.#classifier = classifier;
    this.#options = options;
    this.#maxBatch = Math.min(options.maxBatch, classifier.maxBatch);
  }

  /** Places taken: announced, queued and being computed. */
  get load(): number {
    return this.#announced + this.#queue.length + this.#computing;
  }

  /** Inputs at most that one request can have. */
  get places(): number {
    return this.#options.maxQueue;
  }

  /** Throws an `OverloadError` where `count` places are not free: worth knowing before a body is received. */
  refuseBeyond(count: number): void {
    const { maxQueue } = this.#options;
    if (count > maxQueue) throw tooManyInputs(count, maxQueue);
    const { load } = this, { msPerInput } = this.#pace;
    if (load + count > maxQueue) {
      const problem = `${load} of ${maxQueue} places are taken`;
      throw new OverloadError(`Cannot take ${count} more inputs: ${problem}`, load * msPerInput / 1000);
    }
    // Requests take turns, so one waits for as many inputs of each other as it has itself.
    const before = this.#reserved.values().reduce((sum, other) => sum + Math.min(other.count, count), 0);
    const wait = before * msPerInput;
    // What fills two passes keeps the device busy; a longer queue only makes everybody wait.
    if (load >= 2 * this.#maxBatch && wait > this.#options.maxWaitMs) {
      const problem = `the ${before} before them take ${Math.round(wait)} ms`;
      throw new OverloadError(`Cannot take ${count} more inputs: ${problem}`, wait / 1000);
    }
  }

  /** Takes `count` places; throws as `refuseBeyond`. */
  reserve(count: number): Reservation {
    this.refuseBeyond(count);
    if (this.load === 0) this.#pace.begin();
    this.#announced += count;
    const reservation = new Reservation(count, {
      hand: (kind, input, signal) => this.#enqueue(kind, input, signal),
      give: (places) => {
        this.#reserved.delete(reservation);
        this.#giveBack(places);
      },
    });
    this.#reserved.add(reservation);
    return reservation;
  }

  /** Resolves when no place is taken: every request that came before has been answered. */
  drained(): Promise<void> {
    if (this.load === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  #giveBack(places: number): void {
    this.#announced -= places;
    this.#settle();
  }

  #enqueue(
    kind: Kind,
    input: Job["input"],
    signal: AbortSignal,
  ): Promise<Timed<Classification>> {
    this.#announced--;
    const { promise, resolve, reject } = Promise.withResolvers<Timed<Classification>>();
    const job: Job = { kind, input, arrived: performance.now(), resolve, reject, signal };
    if (signal.aborted) {
      reject(signal.reason);
    } else {
      const onAbort = () => {
        // A pass that has begun goes on without it; its place is given back when the pass ends.
        this.#queue = this.#queue.filter((other) => other !== job);
        reject(signal.reason);
        this.#settle();
      };
      signal.addEventListener("abort", onAbort, { once: true });
      promise.then(() => {}, () => {}).finally(() => signal.removeEventListener("abort", onAbort));
      this.#queue.push(job);
    }
    this.#settle();
    return promise;
  }

  /** After any change: start a pass if one is due, and tell those who wait for quiet. */
  #settle(): void {
    const oldest = this.#queue[0];
    if (oldest !== undefined && this.#computing === 0) {
      const wait = oldest.arrived + this.#options.maxDelayMs - performance.now();
      if (this.#announced === 0 || this.#queue.length >= this.#maxBatch || wait <= 0) {
        clearTimeout(this.#timer);
        this.#timer = undefined;
        void this.#compute(this.#nextBatch(oldest.kind));
      } else {
        this.#timer ??= setTimeout(() => {
          this.#timer = undefined;
          this.#settle();
        }, Math.ceil(wait));
      }
    }
    if (this.load === 0) { for (const resolve of this.#idle.splice(0)) resolve(); }
  }

  #nextBatch(kind: Kind): Job[] {
    const batch: Job[] = [];
    this.#queue = this.#queue.filter((job) => {
      if (job.kind !== kind || batch.length === this.#maxBatch) return true;
      batch.push(job);
      return false;
    });
    return batch;
  }

  async #compute(batch: readonly Job[]): Promise<void> {
    this.#computing = batch.length;
    const started = performance.now();
    try {
      const values = await this.#run(batch);
      const computeMs = performance.now() - started;
      this.#pace.answered(batch.length);
      batch.forEach((job, i) =>
        job.resolve({ value: values[i]!, queueMs: started - job.arrived, computeMs })
      );
      this.#options.onBatch?.(batch.length);
    } catch (error) {
      this.#pace.begin(); // what it took says nothing of the next one
      for (const job of batch) job.reject(error);
    } finally {
      this.#computing = 0;
      this.#settle();
    }
  }

  async #run(batch: readonly Job[]): Promise<Classification[]> {
    const kind = batch[0]!.kind;
    if (kind !== "tensor") {
      const images = batch.map((job) => job.input as DecodedImage);
      return await this.#classifier.classify(images, { explain: kind === "explained photo" });
    }
    return await this.#classifier.classifyRows(batch.map((job) => job.input as Uint8Array));
  }
}

/** How long an input takes while there are others, decoding included: the time between passes, shared by the inputs of each. */
class Pace {
  /** A moving average; 0 until the first pass has ended. */
  msPerInput = 0;
  #since = 0;

  /** Counts from now: the first input comes to an empty queue, or a pass has failed. */
  begin(): void {
    this.#since = performance.now();
  }

  /** A pass of that many inputs has ended. */
  answered(count: number): void {
    const now = performance.now();
    const each = (now - this.#since) / count;
    this.msPerInput = this.msPerInput === 0 ? each : 0.8 * this.msPerInput + 0.2 * each;
    this.#since = now;
  }
}

interface Places {
  hand(kind: Kind, input: Job["input"], signal: AbortSignal): Promise<Timed<Classification>>;
  give(places: number): void;
}

/** Places in a batcher's queue: each input handed in uses one, disposing gives back the rest. */
export class Reservation implements Disposable {
  #left: number;
  readonly #places: Places;

  /** For so many inputs. */
  constructor(readonly count: number, places: Places) {
    this.#left = count;
    this.#places = places;
  }

  /** Classifies a photo; rejects with the signal's reason when it aborts first. */
  classify(
    image: DecodedImage,
    { explain, signal }: { explain: boolean; signal: AbortSignal },
  ): Promise<Timed<Classification>> {
    const kind = explain ? "explained photo" : "photo";
    return this.#use(kind, image, signal);
  }

  /**
   * Classifies one preprocessed input `[3, height, width]`, the bytes of its float32 values, which are given away with their whole
   * buffer; rejects with the signal's reason when it aborts first.
   */
  infer(row: Uint8Array, { signal }: { signal: AbortSignal }): Promise<Timed<Classification>> {
    return this.#use("tensor", row, signal);
  }

  #use(kind: Kind, input: Job["input"], signal: AbortSignal) {
    if (this.#left === 0) throw new Error("Cannot hand in an input: every reserved place is used");
    this.#left--;
    return this.#places.hand(kind, input, signal);
  }

  [Symbol.dispose](): void {
    const left = this.#left;
    this.#left = 0;
    this.#places.give(left);
  }
}
