/**
 * Decodes images in processes that can be killed, so that no file, however hostile, stops the program or fills its memory.
 * @module
 */
import { checkImage, type DecodeOptions, MAX_PIXELS } from "./decode.ts";
import { DecoderProcess } from "./decoder_process.ts";
import { type DecodedImage, ImageError } from "./image.ts";

/** A process that has decoded an image this large is replaced: WebAssembly memory never shrinks. */
const WORN_BY = 16_000_000;

/** Starting takes a tenth of a second; longer than this and something is wrong. */
const START_TIMEOUT_MS = 60_000;

interface Job {
  readonly bytes: Uint8Array;
  readonly shorterSide: number | undefined;
  readonly pixels: number;
  readonly resolve: (image: DecodedImage) => void;
  readonly reject: (error: unknown) => void;
}

/** Decodes images in parallel. Close it when done: its processes keep the program alive. */
export class DecoderPool implements AsyncDisposable {
  readonly #limit: number;
  readonly #timeoutMs: number;
  readonly #queue: Job[] = [];
  readonly #idle: DecoderProcess[] = [];
  readonly #busy = new Map<DecoderProcess, Job>();
  readonly #ending = new Set<Promise<void>>();
  #closed = false;

  /** `workers` processes (started when needed, default one per core), each given `timeoutMs` for one image (default 10 seconds). */
  constructor({ workers = navigator.hardwareConcurrency, timeoutMs = 10_000 }: {
    workers?: number;
    timeoutMs?: number;
  } = {}) {
    this.#limit = workers;
    this.#timeoutMs = timeoutMs;
  }

  /**
   * Decodes one image as `decodeImage` does; leave the bytes alone until it is done. Rejects with an `ImageError` for what cannot or must
   * not be decoded or takes too long, and with the signal's reason when it is aborted.
   */
  decode(
    bytes: Uint8Array,
    { shorterSide, signal }: DecodeOptions & { signal?: AbortSignal | undefined } = {},
  ): Promise<DecodedImage> {
    return new Promise((resolve, reject) => {
      if (this.#closed) throw new Error("Cannot decode an image: the decoder pool is closed");
      signal?.throwIfAborted();
      const { width, height } = checkImage(bytes);
      const cancel = () => {
        const place = this.#queue.indexOf(job);
        if (place >= 0) this.#queue.splice(place, 1); // one that is being decoded is left to finish, within its time
        job.reject(signal!.reason);
      };
      const settle = <T>(then: (value: T) => void) => (value: T) => {
        signal?.removeEventListener("abort", cancel);
        then(value);
      };
      const job = {
        bytes,
        shorterSide,
        pixels: width * height,
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
    for (const job of [...this.#queue.splice(0), ...this.#busy.values()]) job.reject(error);
    for (const process of [...this.#idle.splice(0), ...this.#busy.keys()]) this.#end(process);
    while (this.#ending.size > 0) await Promise.all(this.#ending);
  }

  /** As `close`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #dispatch(): void {
    while (this.#queue.length > 0 && this.#busy.size < this.#limit) {
      const pixels = [...this.#busy.values()].reduce((sum, job) => sum + job.pixels, this.#queue[0]!.pixels);
      // Together they may need no more memory than the largest image alone.
      if (this.#busy.size > 0 && pixels > MAX_PIXELS) return;
      const process = this.#idle.pop() ?? new DecoderProcess();
      const job = this.#queue.shift()!;
      this.#busy.set(process, job);
      this.#decode(process, job).then((sound) => {
        this.#busy.delete(process);
        if (sound && !this.#closed) this.#idle.push(process);
        else this.#end(process);
        this.#dispatch();
      });
    }
  }

  /** Settles the job; says whether the process can be used again. */
  async #decode(process: DecoderProcess, job: Job): Promise<boolean> {
    const starting = setTimeout(() => this.#end(process), START_TIMEOUT_MS);
    try {
      await process.ready;
    } catch (error) {
      job.reject(new Error(`Cannot decode an image: ${(error as Error).message}`, { cause: error }));
      return false;
    } finally {
      clearTimeout(starting);
    }
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this.#end(process);
    }, this.#timeoutMs);
    try {
      job.resolve(await process.decode(job.bytes, job.shorterSide));
      return job.pixels <= WORN_BY;
    } catch (error) {
      if (error instanceof ImageError) {
        job.reject(error);
        return true;
      }
      const reason = `Cannot decode the image: ${(error as Error).message}`;
      const seconds = this.#timeoutMs / 1000;
      job.reject(
        late
          ? new ImageError("timeout", `Cannot decode the image: it took longer than ${seconds} seconds`)
          : new ImageError("corrupt", reason),
      );
      return false;
    } finally {
      clearTimeout(timer);
    }
  }

  #end(process: DecoderProcess): void {
    const ended = process.kill().finally(() => this.#ending.delete(ended));
    this.#ending.add(ended);
  }
}
