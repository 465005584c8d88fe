/**
 * Reads request bodies and paints overlays: what is quick here, what is not in a thread of its own.
 * @module
 */
import { type InferRequest, type ModelInput, parseInferRequest } from "../inference/infer_request.ts";
import type { OverlayJob } from "../../model/inference/overlay.ts";
import { findPhotos, type UploadedPhoto } from "../inference/uploaded_photos.ts";
import { WorkerCalls } from "./calls.ts";
import type { CodecApi } from "./codec_worker.ts";

/** Handing work to the thread costs less than reading this much JSON, or this large a form. */
const QUICK_JSON = 32_000;
const QUICK_FORM = 1_000_000;

/** Work that waits for the thread. */
interface Job {
  /** Resolves when it is done or has failed. */
  readonly start: () => Promise<void>;
  readonly reject: (reason: Error) => void;
}

/** Dispose of it when done: its thread keeps the program alive. */
export class Codec implements Disposable {
  #calls: WorkerCalls<CodecApi> | undefined;
  /** Kept on this side: what is out of time is dropped here, while a thread can neither be interrupted nor told. */
  #jobs: Job[] = [];
  #busy = false;

  /** Starts the thread now, so that the first request does not wait for it; resolves when it answers. */
  async warm(): Promise<void> {
    await this.#thread().call("start", []);
  }

  /** As `parseInferRequest`; takes the body. Rejects with the signal's reason when it aborts first. */
  async readInfer(
    body: Uint8Array<ArrayBuffer>,
    headerLength: number | undefined,
    { model, signal }: { readonly model: ModelInput; readonly signal: AbortSignal },
  ): Promise<InferRequest> {
    if ((headerLength ?? body.length) <= QUICK_JSON) return parseInferRequest(body, headerLength, model);
    return await this.#run("parseInferRequest", [body, headerLength, model], signal, [body.buffer]);
  }

  /** As `findPhotos`; takes the body. Rejects with the signal's reason when it aborts first. */
  async findPhotos(
    body: Uint8Array<ArrayBuffer>,
    contentType: string | undefined,
    signal: AbortSignal,
  ): Promise<UploadedPhoto[]> {
    const isForm = contentType?.toLowerCase().startsWith("multipart/") ?? false;
    if (!isForm || body.length <= QUICK_FORM) return findPhotos(body, contentType);
    return await this.#run("findPhotos", [body, contentType], signal, [body.buffer]);
  }

  /** As `paintOverlay`. Rejects with the signal's reason when it aborts first. */
  paintOverlay(job: OverlayJob, signal: AbortSignal): Promise<string> {
    return this.#run("paintOverlay", [job], signal);
  }

  /** Has the thread do it after what waits before it. */
  #run<Op extends keyof CodecApi>(
    op: Op,
    args: Parameters<CodecApi[Op]>,
    signal: AbortSignal,
    transfer: Transferable[] = [],
  ): Promise<Awaited<ReturnType<CodecApi[Op]>>> {
    const { promise, resolve, reject } = Promise.withResolvers<Awaited<ReturnType<CodecApi[Op]>>>();
    const start = async () => {
      try {
        resolve(await this.#thread().call(op, args, transfer));
      } catch (error) {
        reject(error);
      }
    };
    const job: Job = { start, reject };
    const onAbort = () => {
      this.#jobs = this.#jobs.filter((other) => other !== job);
      reject(signal.reason);
    };
    if (signal.aborted) onAbort();
    else {
      signal.addEventListener("abort", onAbort, { once: true });
      promise.catch(() => {}).finally(() => signal.removeEventListener("abort", onAbort));
      this.#jobs.push(job);
      void this.#work();
    }
    return promise;
  }

  /** One call at a time. */
  async #work(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    for (let job = this.#jobs.shift(); job !== undefined; job = this.#jobs.shift()) await job.start();
    this.#busy = false;
  }

  /** Ends the thread; what it had not finished rejects. */
  [Symbol.dispose](): void {
    for (const { reject } of this.#jobs.splice(0)) {
      reject(new Error("Cannot finish the task: the server is closed"));
    }
    this.#end("the server is closed");
  }

  #thread(): WorkerCalls<CodecApi> {
    if (this.#calls !== undefined) return this.#calls;
    const url = new URL("./codec_worker.ts", import.meta.url);
    const worker = new Worker(url, { type: "module", name: "codec" });
    worker.onerror = (event) => {
      event.preventDefault(); // the next call starts another
      this.#end(`its thread failed (${event.message})`);
    };
    return this.#calls = new WorkerCalls(worker);
  }

  #end(reason: string): void {
    this.#calls?.end(new Error(`Cannot finish the task: ${reason}`));
    this.#calls = undefined;
  }
}
