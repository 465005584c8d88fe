/**
 * How the driver talks to a contender: one JSON line a request on standard input, one a reply on standard output. Every
 * contender has a process, and so a device, of its own; whoever is not asked waits and uses no processor.
 * @module
 */
import type { Task } from "./workload.ts";

/** What a contender is asked. */
export type Request =
  | { readonly ask: "prepare"; readonly task: Task }
  | { readonly ask: "run"; readonly steps: number };

/** What it answers. */
export type Reply =
  | {
    readonly reply: "prepared";
    readonly library: string;
    readonly adapter: string;
    readonly answer: number[];
  }
  | { readonly reply: "ran"; readonly milliseconds: number }
  | { readonly reply: "failed"; readonly message: string };

/** Work made ready on a device. */
export interface Work {
  /** Numbers that all contenders must agree on: the first losses, the logits, the product's first values. */
  readonly answer: number[];
  /** What it runs on, and with which version of the library, where only the work itself can tell. */
  readonly adapter?: string;
  readonly library?: string;
  /** Does `steps` more steps and resolves when the device has finished them all. */
  run(steps: number): Promise<void>;
}

/** Serves one contender until standard input ends, which ends the process; see `requests_worker.ts`. */
export async function serveContender(
  library: string,
  prepare: (task: Task) => Promise<Work>,
): Promise<void> {
  // Standard output belongs to the replies; what a library prints goes to standard error.
  console.log = console.info = console.debug = console.error;
  const adapter = (await navigator.gpu?.requestAdapter())?.info.description ?? "none";
  let work: Work | undefined;
  const answer = async (line: string) => {
    const request = JSON.parse(line) as Request;
    let reply: Reply;
    try {
      if (request.ask === "prepare") {
        work = await prepare(request.task);
        reply = {
          reply: "prepared",
          library: work.library ?? library,
          adapter: work.adapter ?? adapter,
          answer: work.answer,
        };
      } else {
        if (!work) throw new Error("Cannot run: nothing is prepared");
        const start = performance.now();
        await work.run(request.steps);
        reply = { reply: "ran", milliseconds: performance.now() - start };
      }
    } catch (error) {
      reply = { reply: "failed", message: error instanceof Error ? error.message : String(error) };
    }
    await Deno.stdout.write(new TextEncoder().encode(`${JSON.stringify(reply)}\n`));
  };
  const worker = new Worker(new URL("./requests_worker.ts", import.meta.url), { type: "module" });
  let answered = Promise.resolve();
  worker.onmessage = ({ data }: MessageEvent<string>) => {
    answered = answered.then(() => answer(data));
  };
}

/** The lines of a byte stream. */
export async function* lines(stream: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<string> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const parts = (rest + text).split("\n");
    rest = parts.pop()!;
    yield* parts;
  }
  if (rest !== "") yield rest;
}
