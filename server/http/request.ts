/**
 * What a request may take: memory while its body arrives, and time until it is answered or its client is gone.
 * @module
 */
import { delay } from "@std/async/delay";
import { concat } from "@std/bytes/concat";
import { ClientGoneError, DeadlineError, OverloadError, RequestError } from "../inference/errors.ts";

/** How much may come, and how long it may take. */
export interface BodyLimits {
  /** Bytes of a body at most, after decompression. */
  readonly maxBodyBytes: number;
  /** Bytes of all bodies at one time. */
  readonly maxBodiesBytes: number;
  /** How long a body may take to arrive. */
  readonly bodyTimeoutMs: number;
}

/** A body; dispose of it to give its memory back to the others. */
export interface ReceivedBody extends Disposable {
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** Takes memory for a body that arrives; throws an `OverloadError` where there is no more. */
type Take = (bytes: number) => void;

/** Reads request bodies within limits that hold while they arrive. */
export class BodyReader {
  readonly #limits: BodyLimits;
  #left: number;

  constructor(limits: BodyLimits) {
    this.#limits = limits;
    this.#left = limits.maxBodiesBytes;
  }

  /**
   * The whole body. Throws a `RequestError`: 400 without one, 408 when it comes too slowly, 413 when it is too large, whether or not
   * its length was announced, 415 for an encoding that is not gzip or deflate, 429 when all bodies together are too large.
   */
  async read(request: Request): Promise<ReceivedBody> {
    let taken = 0;
    const take = (bytes: number) => {
      if (bytes > this.#left) {
        throw new OverloadError("Cannot take the body: too many others are being received", 1);
      }
      this.#left -= bytes;
      taken += bytes;
    };
    const giveBack = () => {
      this.#left += taken;
      taken = 0;
    };
    try {
      return { bytes: await readBody(request, this.#limits, take), [Symbol.dispose]: giveBack };
    } catch (error) {
      giveBack();
      throw error;
    }
  }
}

async function readBody(
  request: Request,
  { maxBodyBytes, bodyTimeoutMs }: BodyLimits,
  take: Take,
): Promise<Uint8Array<ArrayBuffer>> {
  const tooLarge = () =>
    new RequestError(413, `Cannot take the body: it is larger than ${maxBodyBytes} bytes`, {
      Connection: "close",
    });
  if (Number(request.headers.get("content-length") ?? 0) > maxBodyBytes) throw tooLarge();
  if (request.body === null) throw new RequestError(400, "Cannot read the request: it has no body");
  if (isQuick(request)) return await readAtOnce(request, bodyTimeoutMs, take);
  const stream = decompress(request.body, request.headers.get("content-encoding"));
  const pieces: Uint8Array[] = [];
  let size = 0;
  const reader = stream.getReader();
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    reader.cancel().catch(() => {}); // ends the loop below
  }, bodyTimeoutMs);
  try {
    while (true) {
      const { done, value } = await reader.read().catch(unreadable);
      if (late) throw tooSlow(bodyTimeoutMs);
      if (done) break;
      size += value.byteLength;
      if (size > maxBodyBytes) throw tooLarge();
      take(value.byteLength);
      pieces.push(value);
    }
  } finally {
    clearTimeout(timer);
    reader.releaseLock();
  }
  return concat(pieces);
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
  timeoutMs: number,
  take: Take,
): Promise<Uint8Array<ArrayBuffer>> {
  const length = Number(request.headers.get("content-length"));
  take(length);
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

function tooSlow(timeoutMs: number): RequestError {
  return new RequestError(408, `Cannot take the body: it was not complete after ${timeoutMs} ms`, {
    Connection: "close",
  });
}

function unreadable(error: unknown): never {
  throw new RequestError(400, `Cannot read the body: ${(error as Error).message}`);
}

/** Reads and forgets what is left of a body, so that a client that is still sending sees the answer instead of a reset. */
export async function discardBody(
  request: Request,
  { maxBytes, timeoutMs }: { readonly maxBytes: number; readonly timeoutMs: number },
): Promise<void> {
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
  throw new RequestError(
    415,
    `Cannot read the body: its encoding is ${JSON.stringify(encoding)}, expected gzip or deflate`,
  );
}

/** How long a request may live. Aborts `signal` with a `DeadlineError` or a `ClientGoneError`; dispose of it when the request is answered. */
export class RequestScope implements Disposable {
  readonly #controller = new AbortController();
  readonly #client: AbortSignal;
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #onClientGone = () => this.abort(new ClientGoneError());

  constructor(client: AbortSignal) {
    this.#client = client;
    if (client.aborted) this.#onClientGone();
    else client.addEventListener("abort", this.#onClientGone, { once: true });
  }

  /** Starts the clock; kept apart from the constructor so that a slow upload does not eat the time to compute. */
  startDeadline(milliseconds: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.abort(new DeadlineError(milliseconds)), milliseconds);
  }

  /** Aborts when the request's life ends. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Ends whatever still runs for this request. */
  abort(reason: Error): void {
    this.#controller.abort(reason);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#client.removeEventListener("abort", this.#onClientGone);
  }
}
