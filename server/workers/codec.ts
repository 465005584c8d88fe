/**
 * Reads request bodies and paints overlays: what is quick here, what is not in a thread of its own.
 * @module
 */
import type { ContentfulStatusCode } from "hono/utils/http-status";
import type { CodecReply, CodecResults, CodecTask } from "./codec_worker.ts";
import { HttpError } from "../http/errors.ts";
import { type InferRequest, parseInferRequest } from "../http/infer_request.ts";
import type { OverlayJob } from "./overlay.ts";
import { findPhotos, type PhotoInput } from "./photo_input.ts";

/** Handing work to the thread costs less than reading this much JSON, or this large a form. */
const QUICK_JSON = 32_000;
const QUICK_FORM = 1_000_000;

interface Pending {
  readonly resolve: (value: CodecResults[keyof CodecResults]) => void;
  readonly reject: (error: Error) => void;
}

/** Dispose of it when done: its thread keeps the program alive. */
export class Codec implements Disposable {
  readonly #pending = new Map<number, Pending>();
  #worker: Worker | undefined;
  #nextId = 1;

  /** Starts the thread now, so that the first request does not wait for it. */
  warm(): void {
    this.#worker ??= this.#start();
  }

  /** As `parseInferRequest`; takes the body. */
  async readInfer(body: Uint8Array<ArrayBuffer>, headerLength: number | undefined): Promise<InferRequest> {
    if ((headerLength ?? body.length) <= QUICK_JSON) return parseInferRequest(body, headerLength);
    return await this.#run({ task: "infer", body, headerLength }, [body.buffer]);
  }

  /** As `findPhotos`; takes the body. */
  async findPhotos(body: Uint8Array<ArrayBuffer>, contentType: string | undefined): Promise<PhotoInput[]> {
    const isForm = contentType?.toLowerCase().startsWith("multipart/") ?? false;
    if (!isForm || body.length <= QUICK_FORM) return await findPhotos(body, contentType);
    return await this.#run({ task: "photos", body, contentType }, [body.buffer]);
  }

  /** As `paintOverlay`. */
  paintOverlay(job: OverlayJob): Promise<string> {
    return this.#run({ task: "overlay", ...job }, []);
  }

  /** Ends the thread; what it had not finished rejects. */
  [Symbol.dispose](): void {
    this.#end(new Error("Cannot finish the task: the server is closed"));
  }

  #run<T extends CodecTask>(task: T, transfer: Transferable[]): Promise<CodecResults[T["task"]]> {
    const { promise, resolve, reject } = Promise.withResolvers<CodecResults[keyof CodecResults]>();
    const id = this.#nextId++;
    this.#pending.set(id, { resolve, reject });
    this.#worker ??= this.#start();
    this.#worker.postMessage({ ...task, id }, transfer);
    return promise as Promise<CodecResults[T["task"]]>;
  }

  #start(): Worker {
    const worker = new Worker(new URL("./codec_worker.ts", import.meta.url), {
      type: "module",
      name: "codec",
    });
    worker.onmessage = ({ data }: MessageEvent<CodecReply>) => {
      const pending = this.#pending.get(data.id);
      this.#pending.delete(data.id);
      if ("value" in data) pending?.resolve(data.value);
      else pending?.reject(new HttpError(data.status as ContentfulStatusCode, data.message));
    };
    worker.onerror = (event) => {
      event.preventDefault(); // the next task starts another
      this.#end(new Error(`Cannot finish the task: its thread failed (${event.message})`));
    };
    return worker;
  }

  #end(error: Error): void {
    this.#worker?.terminate();
    this.#worker = undefined;
    for (const { reject } of this.#pending.values()) reject(error);
    this.#pending.clear();
  }
}
