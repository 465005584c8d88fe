/**
 * What can go wrong with a request, and the one place that turns it into a status and a sentence.
 * @module
 */
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { HTTPException } from "hono/http-exception";
import { ImageError, type ImageErrorCode } from "../../data/image/image.ts";
import { DeviceLostError } from "../../model/inference/classifier_types.ts";

/** An answer other than success: `message` is shown to the client as `{"error": message}`. */
export class HttpError extends Error {
  override readonly name = "HttpError";
  constructor(
    readonly status: ContentfulStatusCode,
    message: string,
    readonly headers: Readonly<Record<string, string>> = {},
  ) {
    super(message);
  }
}

/** More is asked than fits in the queue; worth trying again in `retryAfter` seconds. */
export class OverloadError extends HttpError {
  constructor(message: string, readonly retryAfter: number) {
    super(429, message, { "Retry-After": String(Math.max(1, Math.ceil(retryAfter))) });
  }
}

/** The request's time was up before its answer was there. */
export class DeadlineError extends HttpError {
  constructor(milliseconds: number) {
    super(504, `Cannot answer in time: no result after ${milliseconds} ms`);
  }
}

/** Nobody waits for the answer any more. The status is nginx's and never leaves the log. */
export class ClientGoneError extends HttpError {
  constructor() {
    super(499 as ContentfulStatusCode, "The client closed the connection before the answer was ready");
  }
}

/** The model exists but cannot answer now; worth trying again soon. */
export class UnavailableError extends HttpError {
  constructor(message: string) {
    super(503, message, { "Retry-After": "1" });
  }
}

const IMAGE_STATUS: Readonly<Record<ImageErrorCode, ContentfulStatusCode>> = {
  "too-large": 413,
  "unsupported": 415,
  "corrupt": 400,
  "timeout": 504,
};

/** The answer for anything thrown; what is not foreseen becomes a 500 that tells the client nothing about the inside. */
export function toHttpError(error: unknown): HttpError {
  if (error instanceof HttpError) return error;
  if (error instanceof ImageError) return new HttpError(IMAGE_STATUS[error.code], error.message);
  if (error instanceof DeviceLostError) {
    return new UnavailableError("Cannot classify: the device was lost and is being restarted");
  }
  if (error instanceof HTTPException) return new HttpError(error.status, error.message);
  return new HttpError(
    500,
    "Cannot answer: an internal error occurred; the log has it under this request's id",
  );
}
