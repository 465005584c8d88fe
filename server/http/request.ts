/**
 * What a request may take: memory while its body arrives, and time until it is answered or its client is gone.
 * @module
 */
import type { Readable } from "node:stream";
import { ClientGoneError, DeadlineError, OverloadError, RequestError } from "../inference/errors.ts";
import { incomingPieces, type Pieces, refuseBody, streamPieces } from "./body_pieces.ts";
import { encodingOf, unfold } from "./compressed_body.ts";

/** How much may come, and how long it may take. */
export interface BodyLimits {
  /** Bytes of a body at most, after decompression. */
  readonly maxBodyBytes: number;
  /** Bytes of all bodies at one time; one client may have half of them. */
  readonly maxBodiesBytes: number;
  /** How long a body may take to arrive. */
  readonly bodyTimeoutMs: number;
  /** Bytes a second at which a body must come, from its first `GRACE_MS` on. */
  readonly minBodyRate: number;
}

/** A body that sends nothing is given up after this time. */
const GRACE_MS = 5000;

/** A body; dispose of it to give its memory back to the others. */
export interface ReceivedBody extends Disposable {
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** Takes memory for bytes that arrived; throws an `OverloadError` where there is no more. */
type Take = (bytes: number) => void;

/** Reads request bodies within limits that hold while they arrive: memory is counted as bytes come, not as they are announced. */
export class BodyReader {
  readonly #limits: BodyLimits;
  #left: number;
  readonly #byClient = new Map<string, number>();

  constructor(limits: BodyLimits) {
    this.#limits = limits;
    this.#left = limits.maxBodiesBytes;
  }

  /**
   * The whole body. Throws a `RequestError`: 400 without one, 408 when it comes too slowly, 413 when it is too large, whether or not
   * its length was announced, 415 for an encoding that is not gzip or deflate, 429 when all bodies together, or the client's, are too
   * large. `client` is who sends it; `incoming` are its bytes as they come from a connection, which costs less than the request's own
   * stream.
   */
  async read(
    request: Request,
    { client, incoming }: { readonly client?: string | undefined; readonly incoming?: Readable | undefined } =
      {},
  ): Promise<ReceivedBody> {
    let taken = 0;
    const take = (bytes: number) => {
      const its = client === undefined ? 0 : this.#byClient.get(client) ?? 0;
      const share = client === undefined ? Infinity : this.#limits.maxBodiesBytes / 2;
      if (bytes > this.#left || its + bytes > share) {
        throw new OverloadError("Cannot take the body: too many others are being received", 1);
      }
      this.#left -= bytes;
      if (client !== undefined) this.#byClient.set(client, its + bytes);
      taken += bytes;
    };
    const giveBack = () => {
      this.#left += taken;
      if (client !== undefined) {
        const its = (this.#byClient.get(client) ?? 0) - taken;
        if (its > 0) this.#byClient.set(client, its);
        else this.#byClient.delete(client);
      }
      taken = 0;
    };
    try {
      const open = () => incoming === undefined ? streamPieces(request) : incomingPieces(incoming);
      return { bytes: await readBody(request, open, this.#limits, take), [Symbol.dispose]: giveBack };
    } catch (error) {
      giveBack();
      throw error;
    }
  }
}

async function readBody(
  request: Request,
  open: () => Pieces | undefined,
  limits: BodyLimits,
  take: Take,
): Promise<Uint8Array<ArrayBuffer>> {
  const { maxBodyBytes } = limits;
  const tooLarge = () =>
    new RequestError(413, `Cannot take the body: it is larger than ${maxBodyBytes} bytes`);
  const announced = announcedLength(request);
  if (announced !== undefined && announced > maxBodyBytes) throw tooLarge();
  const encoding = encodingOf(request);
  const arriving = announced === 0 ? undefined : open();
  if (arriving === undefined) throw new RequestError(400, "Cannot read the request: it has no body");
  const body = new GrowingBytes(encoding === undefined ? announced ?? maxBodyBytes : maxBodyBytes);
  const clock = new BodyClock(limits, () => arriving.end());
  const timed: Pieces = {
    ...arriving,
    next: async () => {
      const piece = await arriving.next().catch(refuseBody);
      if (clock.late) throw tooSlow(clock.elapsed);
      clock.arrived += piece?.length ?? 0;
      return piece;
    },
  };
  const pieces = encoding === undefined ? timed : unfold(timed, encoding);
  try {
    for (let piece = await pieces.next(); piece !== undefined; piece = await pieces.next()) {
      if (body.size + piece.length > maxBodyBytes) throw tooLarge();
      take(piece.length);
      body.append(piece);
    }
  } finally {
    clock.stop();
    pieces.release();
  }
  if (encoding === undefined && announced !== undefined && body.size !== announced) {
    refuseBody(new Error(`it ended after ${body.size} of ${announced} bytes`));
  }
  return body.finish();
}

function announcedLength(request: Request): number | undefined {
  const length = request.headers.get("content-length");
  return length === null ? undefined : Number(length);
}

/** Ends a body that is late: after `bodyTimeoutMs`, or as soon as it is slower than `minBodyRate` on average. */
class BodyClock {
  /** Whether it has ended the body. */
  late = false;
  /** Bytes that have come. */
  arrived = 0;
  readonly #started = performance.now();
  readonly #limits: BodyLimits;
  readonly #end: () => void;
  /** Up to a fifth more: a thousand bodies that began together shall not all be refused in one moment. */
  readonly #grace = GRACE_MS * (1 + 0.2 * Math.random());
  #timer: ReturnType<typeof setTimeout>;

  constructor(limits: BodyLimits, end: () => void) {
    this.#limits = limits;
    this.#end = end;
    this.#timer = setTimeout(() => this.#look(), Math.min(this.#grace, limits.bodyTimeoutMs));
  }

  /** Milliseconds since the body began. */
  get elapsed(): number {
    return Math.round(performance.now() - this.#started);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #look(): void {
    const { bodyTimeoutMs, minBodyRate } = this.#limits;
    const allowed = Math.min(bodyTimeoutMs, this.#grace + this.arrived / minBodyRate * 1000);
    const left = allowed - (performance.now() - this.#started);
    if (left > 0) {
      this.#timer = setTimeout(() => this.#look(), Math.ceil(left));
      return;
    }
    this.late = true;
    this.#end();
  }
}

/** Bytes that come in pieces, in one buffer that is never more than twice as large as what came. */
class GrowingBytes {
  size = 0;
  readonly #most: number;
  #bytes: Uint8Array<ArrayBuffer>;

  /** For at most `most` bytes. */
  constructor(most: number) {
    this.#most = most;
    this.#bytes = new Uint8Array(Math.min(most, 64_000));
  }

  append(piece: Uint8Array): void {
    const size = this.size + piece.length;
    if (size > this.#most) refuseBody(new Error(`it is longer than the ${this.#most} bytes announced`));
    if (size > this.#bytes.length) {
      const grown = Math.min(this.#most, Math.max(size, 2 * this.#bytes.length));
      this.#bytes = new Uint8Array(this.#bytes.buffer.transfer(grown));
    }
    this.#bytes.set(piece, this.size);
    this.size = size;
  }

  finish(): Uint8Array<ArrayBuffer> {
    if (this.size === this.#bytes.length) return this.#bytes;
    return new Uint8Array(this.#bytes.buffer.transfer(this.size));
  }
}

function tooSlow(milliseconds: number): RequestError {
  return new RequestError(408, `Cannot take the body: it was not complete after ${milliseconds} ms`);
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
