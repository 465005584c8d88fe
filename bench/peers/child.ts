/** @module */
import { join } from "@std/path";
import { lines, type Reply, type Request } from "./protocol.ts";

/** A contender's name, its program and the configuration file that knows its libraries, both relative to this folder. */
export interface Contender {
  readonly name: string;
  readonly program: string;
  readonly config: string;
}

/** Everyone who takes part. */
export const CONTENDERS = [
  { name: "ours", program: "ours.ts", config: "../../deno.json" },
  { name: "tfjs", program: "tfjs.ts", config: "deno.json" },
  { name: "jax-js", program: "jax.ts", config: "deno.json" },
] as const satisfies readonly Contender[];

/** A contender in a process of its own. Dispose of it to end the process. */
export class Child implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly #stdin: WritableStreamDefaultWriter<Uint8Array>;
  readonly #replies: AsyncGenerator<string>;

  constructor(readonly contender: Contender) {
    const path = (file: string) => join(import.meta.dirname!, file);
    this.#process = new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", "-A", "--config", path(contender.config), path(contender.program)],
      stdin: "piped",
      stdout: "piped",
      // Mesa prints an error for every device where this is unset.
      env: { XDG_RUNTIME_DIR: Deno.env.get("XDG_RUNTIME_DIR") ?? "/tmp" },
    }).spawn();
    this.#stdin = this.#process.stdin.getWriter();
    this.#replies = lines(this.#process.stdout);
  }

  /** Asks and waits for the answer; throws what the contender says went wrong, or that it ended. */
  async ask(request: Request): Promise<Exclude<Reply, { reply: "failed" }>> {
    await this.#stdin.write(new TextEncoder().encode(`${JSON.stringify(request)}\n`)).catch(() => {});
    const { value, done } = await this.#replies.next();
    if (done) throw new Error(`${this.contender.name} ended with code ${(await this.#process.status).code}`);
    const reply = JSON.parse(value) as Reply;
    if (reply.reply === "failed") throw new Error(`${this.contender.name}: ${reply.message}`);
    return reply;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stdin.close().catch(() => {});
    await this.#replies.return(undefined).catch(() => {});
    try {
      this.#process.kill("SIGKILL");
    } catch {
      // it has ended
    }
    await this.#process.status;
  }
}
