/**
 * Decodes images in processes that can be killed, so that no file, however hostile, stops the program or fills its memory.
 * @module
 */
import { checkImage, type DecodeOptions, decodingWork, MAX_PIXELS } from "./decode.ts";
import { DecoderProcess } from "./decoder_process.ts";
import { fetchCodec, type FetchedFormat, isFetched } from "./fetched_codecs.ts";
import { type DecodedImage, ImageError, type ImageErrorCode } from "./image.ts";

/** A process that has decoded an image this large is replaced: WebAssembly memory never shrinks. */
const WORN_BY = 16_000_000;

/** An image of more work, in pixels, is heavy: it must not hold every process while small ones wait. */
const HEAVY = WORN_BY;

/** Starting takes a tenth of a second; longer than this and something is wrong. */
const START_TIMEOUT_MS = 60_000;

/** However small an image is: the first one of a process also waits for its decoder to be compiled. */
const LEAST_TIMEOUT_MS = 2000;

/**
 * The milliseconds that an image of this work, in pixels, gets where the largest may take `timeoutMs`: a fifth of it, and a 40th for each
 * million pixels. Of 10 seconds that is 2, and 0.25 per million; decoding took 0.03 to 0.1 per million on two busy cores.
 */
export function timeFor(work: number, timeoutMs: number): number {
  return Math.min(timeoutMs, Math.max(LEAST_TIMEOUT_MS, timeoutMs / 5) + timeoutMs * work / 40e6);
}

/** The share of the largest image's time that a process gets to load a decoder that was fetched: 0.8 to 1.2 s on idle cores. */
const LOADING = 0.5;

/** How processes are used. */
export interface DecoderPoolOptions {
  /** Processes at most, started when needed; default: one per core. */
  readonly workers?: number;
  /** Time for the largest image in milliseconds, default 10 seconds; a small one gets a share of it, a fifth and 2 seconds at least. */
  readonly timeoutMs?: number;
  /** Leave one process to images of less than 16 million pixels, where there are two or more; default: all take what comes first. */
  readonly spareOne?: boolean;
  /** How much the processes yield to others on Linux, 0 to 19 as the command `nice` has it; default: not at all. */
  readonly nice?: number;
  /** Makes sure of the decoder of a format that needs it (see `fetchCodec`, which is the default). */
  readonly fetchCodec?: (format: FetchedFormat) => Promise<void>;
  /** Told, in a sentence, of every process that ended without an answer or could not be started. */
  readonly onFailure?: (reason: string) => void;
}

interface Job {
  readonly bytes: Uint8Array;
  readonly shorterSide: number | undefined;
  readonly pixels: number;
  /** Its decoder is one that is fetched. */
  readonly fetched: boolean;
  readonly heavy: boolean;
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
  readonly resolve: (image: DecodedImage) => void;
  readonly reject: (error: unknown) => void;
}

/** Decodes images in parallel. Close it when done: its processes keep the program alive. */
export class DecoderPool implements AsyncDisposable {
  readonly #options: Required<DecoderPoolOptions>;
  readonly #queue: Job[] = [];
  readonly #idle: DecoderProcess[] = [];
  /** What is being decoded, and by which process once there is one. */
  readonly #busy = new Map<Job, DecoderProcess | undefined>();
  readonly #ending = new Set<Promise<void>>();
  /** What the image that was started last belongs to. */
  #last: AbortSignal | undefined;
  #closed = false;

  /** Starts nothing yet. */
  constructor(options: DecoderPoolOptions = {}) {
    const { workers = navigator.hardwareConcurrency, timeoutMs = 10_000, spareOne = false } = options;
    const { nice = 0 } = options;
    const fetching = options.fetchCodec ?? fetchCodec;
    this.#options = {
      workers,
      timeoutMs,
      spareOne,
      nice,
      fetchCodec: fetching,
      onFailure: options.onFailure ?? (() => {}),
    };
  }

  /**
   * Decodes one image as `decodeImage` does; leave the bytes alone until it is done. Rejects with an `ImageError` for what cannot or must
   * not be decoded, takes too long, or ended two processes; and with the signal's reason when it is aborted. Images with one signal belong
   * together, and take turns with those of others. The first AVIF or HEIC has its decoder fetched, unless Deno has it.
   */
  async decode(
    bytes: Uint8Array,
    { shorterSide, signal }: DecodeOptions & { signal?: AbortSignal | undefined } = {},
  ): Promise<DecodedImage> {
    this.#requireOpen(signal);
    const header = checkImage(bytes), { format } = header, fetched = isFetched(format);
    if (fetched) {
      await this.#options.fetchCodec(format).catch((error) => {
        this.#options.onFailure(error.message);
        throw error;
      });
      this.#requireOpen(signal);
    }
    const work = decodingWork(header), limit = this.#options.timeoutMs;
    return await new Promise((resolve, reject) => {
      const cancel = () => {
        const place = this.#queue.indexOf(job);
        if (place >= 0) this.#queue.splice(place, 1); // one that is being decoded is left to finish, within its time
        job.reject(signal!.reason);
      };
      const settle = <T>(then: (value: T) => void) => (value: T) => {
        signal?.removeEventListener("abort", cancel);
        then(value);
      };
      const job: Job = {
        bytes,
        shorterSide,
        pixels: header.width * header.height,
        fetched,
        heavy: work > HEAVY,
        timeoutMs: fetched ? Math.min(limit, timeFor(work, limit) + limit * LOADING) : timeFor(work, limit),
        signal,
        resolve: settle(resolve),
        reject: settle(reject),
      };
      signal?.addEventListener("abort", cancel);
      this.#queue.push(job);
      this.#dispatch();
    });
  }

  /** Rejects what is not decoded yet and ends the processes; resolves when they are gone. */
  async close(): Promise<void> {
    this.#closed = true;
    const error = new Error("Cannot decode the image: the decoder pool was closed");
    for (const job of [...this.#queue.splice(0), ...this.#busy.keys()]) job.reject(error);
    for (const process of [...this.#idle.splice(0), ...this.#busy.values()]) this.#end(process);
    while (this.#ending.size > 0) await Promise.all(this.#ending);
  }

  /** As `close`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #requireOpen(signal: AbortSignal | undefined): void {
    if (this.#closed) throw new Error("Cannot decode an image: the decoder pool is closed");
    signal?.throwIfAborted();
  }

  /** An idle process that can decode the image. Where a new one must be started for it, an idle one that cannot makes room. */
  #idleFor({ fetched }: Job): DecoderProcess | undefined {
    const place = this.#idle.findLastIndex((process) => process.fetched || !fetched);
    if (place >= 0) return this.#idle.splice(place, 1)[0];
    this.#end(this.#idle.pop());
  }

  /** The first that fits, of those whose signal neither the last one nor any that is being decoded has: a request lets others pass. */
  #nextJob(): Job | undefined {
    const signals = new Set([this.#last, ...[...this.#busy.keys()].map(({ signal }) => signal)]);
    const fitting = this.#queue.filter((job) => this.#fits(job));
    return fitting.find(({ signal }) => signal === undefined || !signals.has(signal)) ?? fitting[0];
  }

  /** Starts what there is a process and memory for, in the order it came; what does not fit lets others pass. */
  #dispatch(): void {
    while (this.#busy.size < this.#options.workers) {
      const job = this.#nextJob();
      if (job === undefined) return;
      this.#queue.splice(this.#queue.indexOf(job), 1);
      this.#last = job.signal;
      this.#busy.set(job, undefined);
      void this.#decode(job).finally(() => {
        this.#busy.delete(job);
        this.#dispatch();
      });
    }
  }

  /**
   * Heavy images together may need no more memory than the largest one alone, and the others no more than that again; with two
   * processes that is the largest one and one of 16 million pixels.
   */
  #fits({ heavy, pixels }: Job): boolean {
    const alike = [...this.#busy.keys()].filter((job) => job.heavy === heavy);
    const { workers, spareOne } = this.#options;
    if (heavy && spareOne && workers > 1 && alike.length === workers - 1) return false;
    return alike.length === 0 || alike.reduce((sum, job) => sum + job.pixels, pixels) <= MAX_PIXELS;
  }

  /** Settles the job. A process that ends without an answer may have been killed for another's sake, so a fresh one tries once more. */
  async #decode(job: Job): Promise<void> {
    let failure = await this.#attempt(job, false);
    if (failure !== undefined && !job.signal?.aborted) failure = await this.#attempt(job, true);
    if (failure !== undefined) job.reject(failure);
  }

  /** Settles the job, or says why its process did not answer. */
  async #attempt(job: Job, fresh: boolean): Promise<ImageError | undefined> {
    if (this.#closed) return; // the job is rejected
    let process: DecoderProcess | undefined;
    let starting: ReturnType<typeof setTimeout> | undefined;
    try {
      const nice = Deno.build.os === "linux" ? this.#options.nice : 0;
      process = (fresh ? undefined : this.#idleFor(job)) ??
        new DecoderProcess({ nice, fetched: job.fetched });
      this.#busy.set(job, process);
      starting = setTimeout(() => this.#end(process), START_TIMEOUT_MS);
      await process.ready;
    } catch (error) {
      this.#end(process);
      return this.#fail("unavailable", `a decoder cannot be started: ${(error as Error).message}`);
    } finally {
      clearTimeout(starting);
    }
    let late = false, sound = false;
    const timer = setTimeout(() => {
      late = true;
      this.#end(process);
    }, job.timeoutMs);
    try {
      job.resolve(await process.decode(job.bytes, job.shorterSide));
      sound = job.pixels <= WORN_BY;
    } catch (error) {
      sound = error instanceof ImageError;
      if (sound) job.reject(error);
      else if (!late) return this.#fail("failed", (error as Error).message, "its decoder ended twice: ");
      else {
        const seconds = job.timeoutMs / 1000;
        job.reject(
          new ImageError("timeout", `Cannot decode the image: it took longer than ${seconds} seconds`),
        );
      }
    } finally {
      clearTimeout(timer);
      if (sound && !this.#closed) this.#idle.push(process);
      else this.#end(process);
    }
  }

  #fail(code: ImageErrorCode, reason: string, before = ""): ImageError {
    if (!this.#closed) this.#options.onFailure(reason);
    return new ImageError(code, `Cannot decode the image: ${before}${reason}`);
  }

  #end(process: DecoderProcess | undefined): void {
    const ended = process?.kill().finally(() => this.#ending.delete(ended!));
    if (ended !== undefined) this.#ending.add(ended);
  }
}
