/**
 * Reads request bodies within limits that hold while they arrive.
 * @module
 */
import { delay } from "@std/async/delay";
import { HttpError, OverloadError } from "./errors.ts";

/** The memory that all request bodies together may take. */
export class BodyBudget {
  #left: number;

  constructor(bytes: number) {
    this.#left = bytes;
  }

  /** Starts one request's share; dispose of it when the body is no longer needed. */
  open(): BodyShare {
    let taken = 0;
    return {
      take: (bytes) => {
        if (bytes > this.#left) {
          throw new OverloadError("Cannot take the body: too many others are being received", 1);
        }
        this.#left -= bytes;
        taken += bytes;
      },
      [Symbol.dispose]: () => {
        this.#left += taken;
        taken = 0;
      },
    };
  }
}

/** What one request's body takes of the budget. */
export interface BodyShare extends Disposable {
  /** Throws an `OverloadError` where the bytes do not fit any more. */
  take(bytes: number): void;
}

/** How much may come, and how long it may take. */
export interface BodyLimits {
  readonly maxBytes: number;
  readonly timeoutMs: number;
}

/**
 * The whole body. Throws an `HttpError`: 400 without one, 408 when it comes too slowly, 413 when it is too large, whether or not its
 * length was announced, 415 for an encoding that is not gzip or deflate.
 */
export async function readBody(
  request: Request,
  limits: BodyLimits,
  share: BodyShare,
): Promise<Uint8Array<ArrayBuffer>> {
  const tooLarge = () =>
    new HttpError(413, `Cannot take the body: it is larger than ${limits.maxBytes} bytes`, {
      Connection: "close",
    });
  if (Number(request.headers.get("content-length") ?? 0) > limits.maxBytes) throw tooLarge();
  if (request.body === null) throw new HttpError(400, "Cannot read the request: it has no body");
  if (isQuick(request)) return await readAtOnce(request, limits, share);
  const stream = decompress(request.body, request.headers.get("content-encoding"));
  const pieces: Uint8Array[] = [];
  let size = 0;
  const reader = stream.getReader();
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    reader.cancel().catch(() => {}); // ends the loop below
  }, limits.timeoutMs);
  try {
    while (true) {
      const { done, value } = await reader.read().catch(unreadable);
      if (late) throw tooSlow(limits.timeoutMs);
      if (done) break;
      size += value.byteLength;
      if (size > limits.maxBytes) throw tooLarge();
      share.take(value.byteLength);
      pieces.push(value);
    }
  } finally {
    clearTimeout(timer);
    reader.releaseLock();
  }
  return concatenate(pieces, size);
}

/** Up to this size a body whose length is announced takes its memory at once: faster, and less of it. */
const QUICK = 2_000_000;

/** Up to this size it comes in one piece. */
const PIECE = 64_000;

function isQuick(request: Request): boolean {
  const length = Number(request.headers.get("content-length") ?? Infinity);
  return length <= QUICK && !request.headers.has("content-encoding");
}

/** For bodies whose announced length the HTTP layer holds them to. */
async function readAtOnce(
  request: Request,
  { timeoutMs }: BodyLimits,
  share: BodyShare,
): Promise<Uint8Array<ArrayBuffer>> {
  const length = Number(request.headers.get("content-length"));
  share.take(length);
  const late = new AbortController();
  const timeout = delay(timeoutMs, { signal: late.signal }).then(() => {
    throw tooSlow(timeoutMs);
  });
  timeout.catch(() => {}); // the race below is the one that listens
  try {
    const body = length <= PIECE ? request.bytes() : fill(new Uint8Array(length), request.body!);
    return await Promise.race([body.catch(unreadable), timeout]);
  } finally {
    late.abort();
  }
}

/** `request.bytes()` takes up to twice the memory of a long body, in steps that grow. */
async function fill(
  body: Uint8Array<ArrayBuffer>,
  stream: ReadableStream<Uint8Array>,
): Promise<Uint8Array<ArrayBuffer>> {
  let at = 0;
  for await (const piece of stream) {
    body.set(piece, at); // a body longer than it said does not fit, and this throws
    at += piece.length;
  }
  if (at < body.length) throw new Error(`it ended after ${at} of ${body.length} bytes`);
  return body;
}

function tooSlow(timeoutMs: number): HttpError {
  return new HttpError(408, `Cannot take the body: it was not complete after ${timeoutMs} ms`, {
    Connection: "close",
  });
}

function unreadable(error: unknown): never {
  throw new HttpError(400, `Cannot read the body: ${(error as Error).message}`);
}

/** Reads and forgets what is left of a body, so that a client that is still sending sees the answer instead of a reset. */
export async function discardBody(request: Request, { maxBytes, timeoutMs }: BodyLimits): Promise<void> {
  if (request.body === null || request.body.locked) return;
  const reader = request.body.getReader();
  const timer = setTimeout(() => reader.cancel().catch(() => {}), timeoutMs);
  let size = 0;
  try {
    for (let part = await reader.read(); !part.done && size <= maxBytes; part = await reader.read()) {
      size += part.value.byteLength;
    }
  } catch { // The client is gone: nothing is left to discard.
  } finally {
    clearTimeout(timer);
    reader.releaseLock();
  }
}

function decompress(
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
  encoding: string | null,
): ReadableStream<Uint8Array> {
  const name = encoding?.trim().toLowerCase() ?? "identity";
  if (name === "identity" || name === "") return body;
  if (name === "gzip" || name === "deflate") return body.pipeThrough(new DecompressionStream(name));
  throw new HttpError(
    415,
    `Cannot read the body: its encoding is ${JSON.stringify(encoding)}, expected gzip or deflate`,
  );
}

function concatenate(pieces: readonly Uint8Array[], size: number): Uint8Array<ArrayBuffer> {
  const body = new Uint8Array(size);
  let at = 0;
  for (const piece of pieces) {
    body.set(piece, at);
    at += piece.byteLength;
  }
  return body;
}
