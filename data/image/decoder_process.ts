/**
 * A decoder in a process of its own: the program's end, the process's end, and how they talk.
 *
 * A process and not a Worker because Deno's `Worker.terminate()` does not stop a thread that is busy, and a thread that runs out of
 * memory takes the whole program with it (both measured on Deno 2.9.6).
 *
 * Request: two u32 (number of bytes, shorter side or 0), the bytes. Reply: three u32 (a `REPLY` and two numbers), then nothing
 * (`ready`), RGBA pixels (`image`: width, height) or text (`error`: index in `REPLY_CODES`, length). Both ends are one machine, so
 * numbers have its byte order.
 * @module
 */
import { dirname, fromFileUrl } from "@std/path";
import { setPriority } from "node:os";
import { decodeImage } from "./decode.ts";
import { type DecodedImage, ImageError, type ImageErrorCode } from "./image.ts";

/** What a reply is. */
const REPLY = { ready: 0, image: 1, error: 2 } as const;

/** The codes that an error reply can carry. */
const REPLY_CODES: readonly ImageErrorCode[] = ["too-large", "unsupported", "corrupt", "timeout"];

/** Reads `length` bytes into a buffer of their own; null when the stream ends before. */
async function readExactly(
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
async function writeAll(
  writer: { write(bytes: Uint8Array): Promise<number> },
  bytes: Uint8Array,
): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await writer.write(bytes.subarray(at));
}

/** How many characters of what a process last wrote to its standard error are kept, to say why it ended. */
const KEPT_STDERR = 400;

/** The program's end of a decoder process; it does one image at a time. */
export class DecoderProcess {
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #output: ReadableStreamBYOBReader;
  readonly #listening: Promise<void>;
  #stderr = "";

  /** Resolves when the process can take images; rejects with an `Error` when it could not start. */
  readonly ready: Promise<void>;

  /** Whether it can use decoders that were fetched. */
  readonly fetched: boolean;

  /**
   * Starts the process, which yields to others by `nice` (0 to 19, as the command's); `fetched`: it shall use decoders that were
   * fetched, too (see `fetchCodec`). Needs the permission to run Deno and to read the decoders' packages, and that of `setPriority` where
   * it shall yield.
   */
  constructor({ nice = 0, fetched = false } = {}) {
    this.fetched = fetched;
    this.#child = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--no-prompt",
        "--quiet",
        // Packages that no lock file names would be added to the project's.
        ...fetched ? ["--no-lock", "--unstable-raw-imports"] : [],
        // Nothing else: what decodes untrusted files can neither write, nor connect, nor read anything of value.
        `--allow-read=${readableFolders().join(",")}`,
        "--allow-env=IMAGESCRIPT_WASM_SIMD",
        fromFileUrl(import.meta.url),
      ],
      env: { NO_COLOR: "1" },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    if (nice > 0) setPriority(this.#child.pid, nice);
    this.#input = this.#child.stdin.getWriter();
    this.#output = this.#child.stdout.getReader({ mode: "byob" });
    this.#listening = this.#listen();
    this.ready = this.#read().then(({ kind }) => {
      if (kind !== REPLY.ready) throw this.#unexpected();
    });
    this.ready.catch(() => {}); // the first `decode` reports it
  }

  /** Decodes one image; rejects with an `ImageError` that the decoder found, or with an `Error` when the process ended. */
  async decode(bytes: Uint8Array, shorterSide: number | undefined): Promise<DecodedImage> {
    const head = new Uint8Array(Uint32Array.of(bytes.length, shorterSide ?? 0).buffer);
    // Not awaited: when the process ends, reading says so, and writing need not say it again.
    this.#input.write(head).catch(() => {});
    this.#input.write(bytes).catch(() => {});
    const { kind, first, second } = await this.#read();
    if (kind === REPLY.image) {
      return { width: first, height: second, data: await this.#need(first * second * 4) };
    }
    if (kind !== REPLY.error) throw this.#unexpected();
    throw new ImageError(REPLY_CODES[first] ?? "corrupt", new TextDecoder().decode(await this.#need(second)));
  }

  /** Ends the process at once, whatever it does; resolves when it is gone. */
  async kill(): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // it has ended already
    }
    await this.#input.abort().catch(() => {});
    await this.#output.cancel().catch(() => {});
    await Promise.all([this.#child.status, this.#listening]);
  }

  async #read(): Promise<{ kind: number; first: number; second: number }> {
    const [kind, first, second] = new Uint32Array((await this.#need(12)).buffer);
    return { kind: kind!, first: first!, second: second! };
  }

  async #need(length: number): Promise<Uint8Array<ArrayBuffer>> {
    const bytes = await readExactly(this.#output, length);
    if (bytes !== null) return bytes;
    const { code } = await this.#child.status;
    await this.#listening;
    const reason = this.#stderr.trim();
    throw new Error(`the decoder process ended with code ${code}${reason && `: ${reason}`}`);
  }

  async #listen(): Promise<void> {
    for await (const text of this.#child.stderr.pipeThrough(new TextDecoderStream())) {
      this.#stderr = (this.#stderr + text).slice(-KEPT_STDERR);
    }
  }

  #unexpected(): Error {
    return new Error("the decoder process gave an answer that makes no sense");
  }
}

/** This folder, and the packages that hold the decoders. */
function readableFolders(): string[] {
  const packages = ["@jsquash/jpeg/decode.js", "@jsquash/webp/decode.js", "imagescript/wasm/node/png.js"];
  const files = packages.map((name) => fromFileUrl(import.meta.resolve(name)));
  return [
    dirname(fromFileUrl(import.meta.url)),
    ...files.map((file) => dirname(file)),
    dirname(dirname(files[2]!)),
  ];
}

/** The process's end: reads requests from standard input and answers each on standard output, until the input ends. */
async function answerRequests(): Promise<void> {
  const input = Deno.stdin.readable.getReader({ mode: "byob" });
  const answer = async (words: [number, number, number], payload: Uint8Array) => {
    await writeAll(Deno.stdout, new Uint8Array(Uint32Array.from(words).buffer));
    await writeAll(Deno.stdout, payload);
  };
  await answer([REPLY.ready, 0, 0], new Uint8Array());
  while (true) {
    const head = await readExactly(input, 8);
    if (head === null) return;
    const [length, shorterSide] = new Uint32Array(head.buffer) as unknown as [number, number];
    const bytes = await readExactly(input, length);
    if (bytes === null) return;
    try {
      const image = await decodeImage(bytes, { shorterSide: shorterSide || undefined });
      await answer([REPLY.image, image.width, image.height], image.data);
    } catch (error) {
      const message = new TextEncoder().encode(error instanceof Error ? error.message : String(error));
      await answer([REPLY.error, REPLY_CODES.indexOf(codeOf(error)), message.length], message);
    }
  }
}

/** A `RangeError` is an allocation that failed: too large for this machine, whatever the limit says. */
function codeOf(error: unknown): ImageErrorCode {
  if (error instanceof ImageError) return error.code;
  return error instanceof RangeError ? "too-large" : "corrupt";
}

if (import.meta.main) {
  // Ctrl-C reaches every process of a terminal; the program that started this one decides when to end it.
  Deno.addSignalListener("SIGINT", () => {});
  await answerRequests();
  Deno.exit(0);
}
