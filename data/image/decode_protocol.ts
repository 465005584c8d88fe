/**
 * How a program and its decoder process talk. Request: two u32 (number of bytes, shorter side or 0), the bytes. Reply: three u32 (a
 * `REPLY` and two numbers), then nothing (`ready`), RGBA pixels (`image`: width, height) or text (`error`: index in `REPLY_CODES`,
 * length). Both ends are one machine, so numbers have its byte order.
 * @module
 */
import type { ImageErrorCode } from "./image.ts";

/** What a reply is. */
export const REPLY = { ready: 0, image: 1, error: 2 } as const;

/** The codes that an error reply can carry. */
export const REPLY_CODES: readonly ImageErrorCode[] = ["too-large", "unsupported", "corrupt", "timeout"];

/** Reads `length` bytes into a buffer of their own; null when the stream ends before. */
export async function readExactly(
  reader: ReadableStreamBYOBReader,
  length: number,
): Promise<Uint8Array<ArrayBuffer> | null> {
  let buffer = new Uint8Array(length);
  for (let at = 0; at < length;) {
    const { value, done } = await reader.read(new Uint8Array(buffer.buffer, at));
    if (done) return null;
    buffer = new Uint8Array(value.buffer); // the stream took the buffer and gave it back
    at += value.length;
  }
  return buffer;
}

/** Writes every byte. */
export async function writeAll(
  writer: { write(bytes: Uint8Array): Promise<number> },
  bytes: Uint8Array,
): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await writer.write(bytes.subarray(at));
}
