/**
 * Bodies with a `Content-Encoding`, unfolded so that neither memory nor the other requests feel it.
 * @module
 */
import { delay } from "@std/async/delay";
import { RequestError } from "../inference/errors.ts";
import { type Pieces, refuseBody } from "./body_pieces.ts";

/** The compression of a body, if it has one; throws a `RequestError`, 415, for one that is not known. */
export function encodingOf(request: Request): CompressionFormat | undefined {
  const encoding = request.headers.get("content-encoding");
  const name = encoding?.trim().toLowerCase() ?? "identity";
  if (name === "identity" || name === "") return undefined;
  if (name === "gzip" || name === "deflate") return name;
  throw new RequestError(
    415,
    `Cannot read the body: its encoding is ${JSON.stringify(encoding)}, expected gzip or deflate`,
  );
}

/** Compressed bytes are unfolded this many at a time: one byte becomes at most 1,032, and no other request waits for more. */
const SLICE = 1024;

/** After so many unfolded bytes others get a turn. */
const TURN = 256_000;

/** What unfolds to more than this many times its size is no photo and no tensor; looked at after `RATIO_FROM` bytes. */
const MAX_RATIO = 100;
const RATIO_FROM = 1_000_000;

/** The pieces of a compressed body, unfolded; throws a `RequestError`, 413, where they are out of all proportion to it. */
export function unfold(source: Pieces, format: CompressionFormat): Pieces {
  const { readable, writable } = new DecompressionStream(format);
  const writer = writable.getWriter();
  let packed = 0, unfolded = 0, turn = 0;
  const feed = async () => {
    for (let piece = await source.next(); piece !== undefined; piece = await source.next()) {
      for (let at = 0; at < piece.length; at += SLICE) {
        const slice = piece.slice(at, at + SLICE);
        packed += slice.length;
        await writer.write(slice);
      }
    }
    await writer.close();
  };
  const feeding = feed();
  feeding.catch((error) => writer.abort(error).catch(() => {})); // the reader below is told
  const reader = readable.getReader();
  const next = async () => {
    const { done, value } = await reader.read().catch((error) =>
      error instanceof RequestError ? Promise.reject(error) : refuseBody(error)
    );
    if (done) return undefined;
    unfolded += value.length;
    turn += value.length;
    if (unfolded > RATIO_FROM && unfolded > packed * MAX_RATIO) {
      throw new RequestError(
        413,
        `Cannot take the body: it unfolds to more than ${MAX_RATIO} times its ${packed} bytes`,
      );
    }
    if (turn >= TURN) {
      turn = 0;
      await delay(0);
    }
    return value;
  };
  return {
    next,
    end: () => source.end(),
    release() {
      reader.cancel().catch(() => {}); // what is left is not unfolded
      source.release();
    },
  };
}
