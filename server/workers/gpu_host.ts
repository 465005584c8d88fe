/**
 * The main thread's end of the GPU's worker: classifiers that live there, and notice when the worker is gone.
 * @module
 */
import { MessageChannel } from "node:worker_threads";
import type { DecodedImage } from "../../data/image/image.ts";
import type { ModelCard } from "../../model/checkpoint/card.ts";
import { type Classification, DeviceLostError } from "../../model/inference/classifier_types.ts";
import type { RowClassifier } from "../inference/batcher.ts";
import { UnavailableError } from "../inference/errors.ts";
import { buffersOf, WorkerCalls } from "./calls.ts";
import type { GpuApi, Loaded, LoadOptions } from "./gpu_thread.ts";

/** How a worker is started and watched. */
export interface GpuHostOptions {
  /** A call, or a step of loading, that takes longer means the device hangs: the worker is given up. */
  readonly callTimeoutMs: number;
  /** Starts a worker whose file calls `serveClassifiers`; default: the one with the real network. */
  readonly startWorker?: (() => Worker) | undefined;
}

const startGpuWorker = () =>
  new Worker(new URL("./gpu_worker.ts", import.meta.url), { type: "module", name: "gpu" });

/** One worker with one device. Once lost it stays lost; start another. */
export class GpuHost {
  /** Resolves, never rejects, when the device or the worker is gone for whatever reason but `close`. */
  readonly lost: Promise<DeviceLostError>;
  readonly #calls: WorkerCalls<GpuApi>;
  readonly #lifeline: { close(): void };
  readonly #callTimeoutMs: number;
  readonly #announceLoss: (error: DeviceLostError) => void;
  #ended: Error | undefined;

  constructor({ callTimeoutMs, startWorker = startGpuWorker }: GpuHostOptions) {
    this.#callTimeoutMs = callTimeoutMs;
    const { promise, resolve } = Promise.withResolvers<DeviceLostError>();
    this.lost = promise;
    this.#announceLoss = resolve;
    const worker = startWorker();
    this.#calls = new WorkerCalls(worker);
    worker.onerror = (event) => {
      event.preventDefault();
      this.kill(`the GPU worker failed: ${event.message}`);
    };
    // A worker that ends without an error is silent; its end of this channel is not (Node's channels tell when they close).
    const { port1, port2 } = new MessageChannel();
    port1.on("close", () => this.kill("the GPU worker ended"));
    port1.start(); // it does not look whether the other end is there before
    this.#lifeline = port1;
    const lifeline = port2 as unknown as MessagePort;
    this.#calls.call("hold", [lifeline], [lifeline]).catch(() => {}); // whoever calls `load` is told
  }

  /** Milliseconds since the worker last answered a call; 0 while one runs. */
  get quiet(): number {
    return this.#calls.quiet;
  }

  /** Milliseconds for which the worker has not been heard of a call that runs, or of a step of loading; 0 when none runs. */
  get waiting(): number {
    return this.#calls.waiting;
  }

  /** Opens a checkpoint on the worker's device; rejects with the loader's error. */
  async load(path: string, options: LoadOptions): Promise<RowClassifier> {
    const loaded = await this.#call("load", [path, options]);
    return new RemoteClassifier(loaded, this.#call);
  }

  /** Ends the worker and declares its device lost. */
  kill(reason: string): void {
    const error = new DeviceLostError(`Cannot reach the device: ${reason}`);
    if (this.#end(error)) this.#announceLoss(error);
  }

  /** Ends the worker; calls that run or come later reject. Not a loss. */
  close(): void {
    this.#end(new UnavailableError("Cannot answer: the server is shutting down"));
  }

  #end(error: Error): boolean {
    if (this.#ended !== undefined) return false;
    this.#ended = error;
    this.#calls.end(error);
    this.#lifeline.close();
    return true;
  }

  #call: GpuCall = (op, args, transfer) => {
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    const watch = () =>
      setTimeout(
        () => this.kill(`the device did not answer ${op} within ${this.#callTimeoutMs} ms`),
        this.#callTimeoutMs,
      );
    let timer = watch();
    const onAlive = () => {
      clearTimeout(timer);
      timer = watch();
    };
    return this.#calls.call(op, args, transfer, onAlive).catch((error) => {
      if (error instanceof DeviceLostError) this.kill(error.message);
      throw error;
    }).finally(() => clearTimeout(timer));
  };
}

type GpuCall = WorkerCalls<GpuApi>["call"];

/** A classifier that lives in the worker. What is passed to `classify` and `infer` is given away: its buffers are detached. */
class RemoteClassifier implements RowClassifier {
  readonly card: ModelCard;
  readonly adapter: string;
  readonly maxBatch: number;
  readonly #model: number;
  readonly #call: GpuCall;

  constructor({ model, card, adapter, maxBatch }: Loaded, call: GpuCall) {
    this.card = card;
    this.adapter = adapter;
    this.maxBatch = maxBatch;
    this.#model = model;
    this.#call = call;
  }

  classify(images: readonly DecodedImage[], options?: { explain?: boolean }): Promise<Classification[]> {
    return this.#call("classify", [this.#model, images, options?.explain ?? false], [...buffersOf(images)]);
  }

  async infer(input: Float32Array, batch: number): Promise<Float32Array> {
    const bytes = new Uint8Array(input.buffer, input.byteOffset, input.byteLength);
    const size = bytes.length / batch;
    const rows = Array.from({ length: batch }, (_, n) => bytes.subarray(n * size, (n + 1) * size));
    const classes = this.card.classes.length, logits = new Float32Array(batch * classes);
    (await this.classifyRows(rows)).forEach((answer, n) => logits.set(answer.logits, n * classes));
    return logits;
  }

  classifyRows(rows: readonly Uint8Array[]): Promise<Classification[]> {
    return this.#call("classifyRows", [this.#model, rows], [...buffersOf(rows)]);
  }

  memory(): Promise<number> {
    return this.#call("memory", [this.#model]);
  }

  close(): Promise<void> {
    return this.#call("close", [this.#model]);
  }
}
