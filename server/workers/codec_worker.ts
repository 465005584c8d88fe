/**
 * A thread for reading and painting what would hold up the one that speaks HTTP.
 * @module
 */
import { toHttpError } from "../http/errors.ts";
import { type InferRequest, parseInferRequest } from "../http/infer_request.ts";
import { type OverlayJob, paintOverlay } from "./overlay.ts";
import { findPhotos, type PhotoInput } from "./photo_input.ts";

/** What the thread does. */
export type CodecTask =
  | {
    readonly task: "infer";
    readonly body: Uint8Array<ArrayBuffer>;
    readonly headerLength: number | undefined;
  }
  | {
    readonly task: "photos";
    readonly body: Uint8Array<ArrayBuffer>;
    readonly contentType: string | undefined;
  }
  | ({ readonly task: "overlay" } & OverlayJob);

/** What each task gives. */
export interface CodecResults {
  infer: InferRequest;
  photos: PhotoInput[];
  overlay: string;
}

/** The answer to task `id`; errors cross threads as a status and a sentence. */
export type CodecReply =
  | { readonly id: number; readonly value: CodecResults[keyof CodecResults] }
  | { readonly id: number; readonly status: number; readonly message: string };

const scope = self as unknown as DedicatedWorkerGlobalScope;

scope.onmessage = async ({ data }: MessageEvent<CodecTask & { id: number }>) => {
  try {
    const value = await carryOut(data);
    scope.postMessage({ id: data.id, value } satisfies CodecReply, buffersOf(value));
  } catch (error) {
    const { status, message } = toHttpError(error);
    scope.postMessage({ id: data.id, status, message } satisfies CodecReply);
  }
};

function carryOut(
  task: CodecTask,
): CodecResults[keyof CodecResults] | Promise<CodecResults[keyof CodecResults]> {
  switch (task.task) {
    case "infer":
      return parseInferRequest(task.body, task.headerLength);
    case "photos":
      return findPhotos(task.body, task.contentType);
    case "overlay":
      return paintOverlay(task);
  }
}

function buffersOf(value: CodecResults[keyof CodecResults]): Transferable[] {
  if (typeof value === "string") return [];
  const views: ArrayBufferView<ArrayBuffer>[] = "inputs" in value
    ? value.inputs.flatMap(({ data }) => data)
    : value.map((photo) => photo.bytes);
  return [...new Set(views.map((view) => view.buffer))];
}
