/**
 * Why a request is refused.
 * @module
 */

/** A refusal: `message` is shown to the client, `status` is HTTP's number for it. */
export class RequestError extends Error {
  override readonly name = "RequestError";
  constructor(
    readonly status: number,
    message: string,
    readonly headers: Readonly<Record<string, string>> = {},
  ) {
    super(message);
  }
}

/** More is asked than fits in the queue; worth trying again in `retryAfter` seconds. */
export class OverloadError extends RequestError {
  constructor(message: string, readonly retryAfter: number) {
    super(429, message, { "Retry-After": String(Math.max(1, Math.ceil(retryAfter))) });
  }
}

/** More inputs in one request than the queue has places: it could never be taken. */
export function tooManyInputs(count: number, places: number): RequestError {
  return new RequestError(413, `Cannot take ${count} inputs in one request: the queue has ${places} places`);
}

/** The request's time was up before its answer was there. */
export class DeadlineError extends RequestError {
  constructor(milliseconds: number) {
    super(504, `Cannot answer in time: no result after ${milliseconds} ms`);
  }
}

/** The client closed the connection before its answer was ready. The status is nginx's and never leaves the log. */
export class ClientGoneError extends RequestError {
  constructor() {
    super(499, "The client closed the connection before the answer was ready");
  }
}

/** The model exists but cannot answer now; worth trying again soon. */
export class UnavailableError extends RequestError {
  constructor(message: string) {
    super(503, message, { "Retry-After": "1" });
  }
}
