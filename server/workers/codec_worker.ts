/**
 * A thread for reading and painting what would hold up the one that speaks HTTP.
 * @module
 */
import { parseInferRequest } from "../inference/infer_request.ts";
import { paintOverlay } from "../inference/overlay.ts";
import { findPhotos } from "../inference/uploaded_photos.ts";
import { answerCalls } from "./calls.ts";

const api = { parseInferRequest, findPhotos, paintOverlay, start: () => {} };

/** What the thread does on demand. */
export type CodecApi = typeof api;

answerCalls(api);
