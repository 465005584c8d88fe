/**
 * Reads request bodies and paints overlays: what is quick here, what is not in a thread of its own.
 * @module
 */
import { type InferRequest, parseInferRequest } from "../inference/infer_messages.ts";
import type { OverlayJob } from "../inference/overlay.ts";
import { findPhotos, type UploadedPhoto } from "../inference/uploaded_photos.ts";
import { WorkerCalls } from "./calls.ts";
import type { CodecApi } from "./codec_worker.ts";

/** Handing work to the thread costs less than reading this much JSON, or this large a form. */
const QUICK_JSON = 32_000;
const QUICK_FORM = 1_000_000;

/** Dispose of it when done: its thread keeps the program alive. */
export class Codec implements Disposable {
  #calls: WorkerCalls<CodecApi> | undefined;

  /** Starts the thread now, so that the first request does not wait for it. */
  warm(): void {
    this.#thread();
  }

  /** As `parseInferRequest`; takes the body. */
  async readInfer(body: Uint8Array<ArrayBuffer>, headerLength: number | undefined): Promise<InferRequest> {
    if ((headerLength ?? body.length) <= QUICK_JSON) return parseInferRequest(body, headerLength);
    return await this.#thread().call("parseInferRequest", [body, headerLength], [body.buffer]);
  }

  /** As `findPhotos`; takes the body. */
  async findPhotos(
    body: Uint8Array<ArrayBuffer>,
    contentType: string | undefined,
  ): Promise<UploadedPhoto[]> {
    const isForm = contentType?.toLowerCase().startsWith("multipart/") ?? false;
    if (!isForm || body.length <= QUICK_FORM) return await findPhotos(body, contentType);
    return await this.#thread().call("findPhotos", [body, contentType], [body.buffer]);
  }

  /** As `paintOverlay`. */
  paintOverlay(job: OverlayJob): Promise<string> {
    return this.#thread().call("paintOverlay", [job]);
  }

  /** Ends the thread; what it had not finished rejects. */
  [Symbol.dispose](): void {
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
