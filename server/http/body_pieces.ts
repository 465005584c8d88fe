/**
 * Where the bytes of a body come from: a connection, or a request's own stream where there is none.
 * @module
 */
import type { Readable } from "node:stream";
import { RequestError } from "../inference/errors.ts";

/** The bytes of a body, piece by piece. */
export interface Pieces {
  /** The next ones; `undefined` after the last. Rejects where the client is gone. */
  next(): Promise<Uint8Array | undefined>;
  /** No more are wanted: `next` resolves with `undefined` at once. */
  end(): void;
  /** Leaves the rest to others. */
  release(): void;
}

/** Those of a request; undefined where it has no body. */
export function streamPieces({ body }: Request): Pieces | undefined {
  if (body === null) return undefined;
  const reader = body.getReader();
  return {
    next: async () => (await reader.read()).value,
    end: () => void reader.cancel().catch(() => {}),
    release: () => reader.releaseLock(),
  };
}

/** So many pieces may wait to be taken; then the connection is not read any further. */
const PIECES_AHEAD = 8;

/** Those of a connection, which is not read further than a few pieces ahead. */
export function incomingPieces(incoming: Readable): Pieces {
  const waiting: Uint8Array[] = [];
  let ended = false;
  let failure: Error | undefined;
  let wake = () => {};
  const onData = (piece: Uint8Array) => {
    waiting.push(piece);
    if (waiting.length >= PIECES_AHEAD) incoming.pause();
    wake();
  };
  const onEnd = () => {
    ended = true;
    wake();
  };
  const onError = (error?: Error) => {
    if (ended) return;
    failure = error ?? new Error("the client closed the connection");
    onEnd();
  };
  incoming.on("data", onData).on("end", onEnd).on("error", onError).on("close", onError);
  return {
    next: async () => {
      while (waiting.length === 0 && !ended) await new Promise<void>((resolve) => wake = resolve);
      if (waiting.length === PIECES_AHEAD) incoming.resume();
      const piece = waiting.shift();
      if (piece === undefined && failure !== undefined) throw failure;
      return piece;
    },
    end: onEnd,
    release: () => {
      incoming.off("data", onData).off("end", onEnd).off("error", onError).off("close", onError);
      incoming.on("error", () => {}); // the connection may still break
    },
  };
}

/** Throws a `RequestError`, 400: why a body cannot be read. */
export function refuseBody(error: unknown): never {
  throw new RequestError(400, `Cannot read the body: ${(error as Error).message}`);
}
