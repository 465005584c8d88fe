/**
 * The program's end of one decoder process (`decode_process.ts`).
 * @module
 */
import { dirname, fromFileUrl } from "@std/path";
import { readExactly, REPLY, REPLY_CODES } from "./decode_protocol.ts";
import { type DecodedImage, ImageError } from "./image.ts";

/** How much of what a dying process says is kept. */
const LAST_WORDS = 400;

/** A decoder process; it does one image at a time. */
export class DecoderProcess {
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #output: ReadableStreamBYOBReader;
  readonly #listening: Promise<void>;
  #lastWords = "";

  /** Resolves when the process can take images; rejects with an `Error` when it could not start. */
  readonly ready: Promise<void>;

  /** Starts the process. Needs the permission to run Deno and to read the decoders' packages. */
  constructor() {
    this.#child = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--no-prompt",
        "--quiet",
        // Nothing else: what decodes strangers' files can neither write, nor connect, nor read anything of value.
        `--allow-read=${readableFolders().join(",")}`,
        "--allow-env=IMAGESCRIPT_WASM_SIMD",
        fromFileUrl(new URL("./decode_process.ts", import.meta.url)),
      ],
      env: { NO_COLOR: "1" },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#input = this.#child.stdin.getWriter();
    this.#output = this.#child.stdout.getReader({ mode: "byob" });
    this.#listening = this.#listen();
    this.ready = this.#read().then(({ kind }) => {
      if (kind !== REPLY.ready) throw this.#unexpected();
    });
    this.ready.catch(() => {}); // whoever decodes first reports it
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
    const words = this.#lastWords.trim();
    throw new Error(`the decoder process ended with code ${code}${words && `: ${words}`}`);
  }

  async #listen(): Promise<void> {
    for await (const text of this.#child.stderr.pipeThrough(new TextDecoderStream())) {
      this.#lastWords = (this.#lastWords + text).slice(-LAST_WORDS);
    }
  }

  #unexpected(): Error {
    return new Error("the decoder process gave an answer that makes no sense");
  }
}

/** This folder, and the packages that hold the decoders. */
function readableFolders(): string[] {
  const packages = ["@jsquash/jpeg/decode.js", "imagescript/wasm/node/png.js"];
  const files = packages.map((name) => fromFileUrl(import.meta.resolve(name)));
  return [
    dirname(fromFileUrl(import.meta.url)),
    ...files.map((file) => dirname(file)),
    dirname(dirname(files[1]!)),
  ];
}
