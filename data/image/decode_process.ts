/**
 * A decoder in a process of its own, the other end of `DecoderProcess`: reads requests from its input and answers each on its output,
 * until the input ends.
 *
 * A process and not a Worker because Deno's `Worker.terminate()` does not stop a thread that is busy, and a thread that runs out of
 * memory takes the whole program with it (both measured on Deno 2.9.6).
 * @module
 */
import { decodeImage } from "./decode.ts";
import { readExactly, REPLY, REPLY_CODES, writeAll } from "./decode_protocol.ts";
import { ImageError } from "./image.ts";

const input = Deno.stdin.readable.getReader({ mode: "byob" });

async function answer(words: [number, number, number], payload: Uint8Array): Promise<void> {
  await writeAll(Deno.stdout, new Uint8Array(Uint32Array.from(words).buffer));
  await writeAll(Deno.stdout, payload);
}

if (import.meta.main) {
  // Ctrl-C reaches every process of a terminal; the program that started this one decides when to end it.
  Deno.addSignalListener("SIGINT", () => {});
  await answer([REPLY.ready, 0, 0], new Uint8Array());
  while (true) {
    const head = await readExactly(input, 8);
    if (head === null) break;
    const [length, shorterSide] = new Uint32Array(head.buffer) as unknown as [number, number];
    const bytes = await readExactly(input, length);
    if (bytes === null) break;
    try {
      const image = await decodeImage(bytes, { shorterSide: shorterSide || undefined });
      await answer([REPLY.image, image.width, image.height], image.data);
    } catch (error) {
      // A RangeError is an allocation that failed: too large for this machine, whatever the limit says.
      const code = error instanceof ImageError
        ? error.code
        : error instanceof RangeError
        ? "too-large"
        : "corrupt";
      const message = new TextEncoder().encode(error instanceof Error ? error.message : String(error));
      await answer([REPLY.error, REPLY_CODES.indexOf(code), message.length], message);
    }
  }
  Deno.exit(0);
}
