/**
 * The main thread's end of the GPU's worker: classifiers that live there, and word of the worker's death.
 * @module
 */
import { MessageChannel } from "node:worker_threads";
import type { DecodedImage } from "../../data/image/image.ts";
import type { ModelCard } from "../../model/checkpoint/card.ts";
import { type Classification, DeviceLostError } from "../../model/inference/classifier_types.ts";
import { UnavailableError } from "../http/errors.ts";
import type { Call, Loaded, LoadOptions, Reply, Results, RowClassifier, Start } from "./gpu_messages.ts";

/** How a worker is started and watched. */
export interface GpuHostOptions {
  /** The module whose `loadClassifier` opens checkpoints. */
  readonly loader: URL;
  /** A call that takes longer means the device hangs: the worker is given up. */
  readonly callTimeoutMs: number;
}

interface Pending {
  readonly since: number;
  readonly resolve: (value: Results[keyof Results]) => void;
  readonly reject: (error: Error) => void;
  readonly timer: ReturnType<typeof setTimeout>;
}

/** One worker with one device. Once lost it stays lost; start another. */
export class GpuHost {
  /** Resolves, never rejects, when the device or the worker is gone for whatever reason but `close`. */
  readonly lost: Promise<DeviceLostError>;
  readonly #worker: Worker;
  readonly #lifeline: { close(): void };
  readonly #options: GpuHostOptions;
  readonly #pending = new Map<number, Pending>();
  readonly #announceLoss: (error: DeviceLostError) => void;
  #ended: Error | undefined;
  #nextId = 1;
  #lastReply = performance.now();

  constructor(options: GpuHostOptions) {
    this.#options = options;
    const { promise, resolve } = Promise.withResolvers<DeviceLostError>();
    this.lost = promise;
    this.#announceLoss = resolve;
    this.#worker = new Worker(new URL("./gpu_worker.ts", import.meta.url), { type: "module", name: "gpu" });
    this.#worker.onmessage = ({ data }: MessageEvent<Reply>) => this.#settle(data);
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.kill(`the GPU worker failed: ${event.message}`);
    };
    // A worker that ends without an error is silent; its end of this channel is not (Node's channels tell when they close).
    const { port1, port2 } = new MessageChannel();
    port1.on("close", () => this.kill("the GPU worker ended"));
    port1.start(); // it does not look whether the other end is there before
    this.#lifeline = port1;
    const lifeline = port2 as unknown as MessagePort;
    this.#worker.postMessage({ loader: options.loader.href, lifeline } satisfies Start, [lifeline]);
  }

  /** Milliseconds since the worker last answered a call; 0 while one runs. */
  get quiet(): number {
    return this.#pending.size > 0 ? 0 : performance.now() - this.#lastReply;
  }

  /** Milliseconds that the longest-running call has been waited for; 0 when none runs. */
  get waiting(): number {
    const [oldest] = this.#pending.values();
    return oldest === undefined ? 0 : performance.now() - oldest.since;
  }

  /** Opens a checkpoint on the worker's device; rejects with the loader's error. */
  async load(path: string, options: LoadOptions): Promise<RowClassifier> {
    return new RemoteClassifier(this, await this.call({ op: "load", path, options }));
  }

  /** Carries out a call in the worker. `transfer` is given away. */
  call<C extends Call>(call: C, transfer: Transferable[] = []): Promise<Results[C["op"]]> {
    if (this.#ended) return Promise.reject(this.#ended);
    const id = this.#nextId++;
    const { promise, resolve, reject } = Promise.withResolvers<Results[keyof Results]>();
    const { callTimeoutMs } = this.#options;
    const timer = setTimeout(
      () => this.kill(`the device did not answer ${call.op} within ${callTimeoutMs} ms`),
      callTimeoutMs,
    );
    this.#pending.set(id, { since: performance.now(), resolve, reject, timer });
    this.#worker.postMessage({ ...call, id }, transfer);
    return promise as Promise<Results[C["op"]]>;
  }

  /** Ends the worker and declares its device lost. */
  kill(reason: string): void {
    if (this.#ended) return;
    const error = new DeviceLostError(`Cannot reach the device: ${reason}`);
    this.#end(error);
    this.#announceLoss(error);
  }

  /** Ends the worker; calls that run or come later reject. Not a loss. */
  close(): void {
    if (!this.#ended) this.#end(new UnavailableError("Cannot answer: the server is shutting down"));
  }

  #end(error: Error): void {
    this.#ended = error;
    this.#worker.terminate();
    this.#lifeline.close();
    for (const { reject, timer } of this.#pending.values()) {
      clearTimeout(timer);
      reject(error);
    }
    this.#pending.clear();
  }

  #settle(reply: Reply): void {
    const pending = this.#pending.get(reply.id);
    if (pending === undefined) return;
    this.#lastReply = performance.now();
    this.#pending.delete(reply.id);
    clearTimeout(pending.timer);
    if ("value" in reply) return pending.resolve(reply.value);
    const { name, message } = reply.error;
    if (name !== "DeviceLostError") return pending.reject(Object.assign(new Error(message), { name }));
    pending.reject(new DeviceLostError(message));
    this.kill(message);
  }
}

/** A classifier that lives in the worker. What is passed to `classify` and `infer` is given away: its buffers are detached. */
class RemoteClassifier implements RowClassifier {
  readonly card: ModelCard;
  readonly adapter: string;
  readonly maxBatch: number;
  readonly #host: GpuHost;
  readonly #model: number;

  constructor(host: GpuHost, { model, card, adapter, maxBatch }: Loaded) {
    this.#host = host;
    this.#model = model;
    this.card = card;
    this.adapter = adapter;
    this.maxBatch = maxBatch;
  }

  classify(images: readonly DecodedImage[], options?: { explain?: boolean }): Promise<Classification[]> {
    const buffers = [...new Set(images.map((image) => image.data.buffer))];
    const explain = options?.explain ?? false;
    return this.#host.call({ op: "classify", model: this.#model, images, explain }, buffers);
  }

  infer(input: Float32Array, batch: number): Promise<Float32Array> {
    const bytes = new Uint8Array(input.buffer, input.byteOffset, input.byteLength);
    const size = bytes.length / batch;
    return this.inferRows(Array.from({ length: batch }, (_, n) => bytes.subarray(n * size, (n + 1) * size)));
  }

  inferRows(rows: readonly Uint8Array[]): Promise<Float32Array> {
    const buffers = [...new Set(rows.map((row) => row.buffer as ArrayBuffer))];
    return this.#host.call({ op: "infer", model: this.#model, rows }, buffers);
  }

  memory(): Promise<number> {
    return this.#host.call({ op: "memory", model: this.#model });
  }

  async close(): Promise<void> {
    await this.#host.call({ op: "close", model: this.#model });
  }
}
