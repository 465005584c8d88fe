/**
 * Servers and load generators as processes, each on its own.
 * @module
 */
import { delay } from "@std/async/delay";
import { fromFileUrl } from "@std/path";
import type { LoadResult } from "./load_generator.ts";

const ROOT = new URL("../../", import.meta.url);

/** A process that answers HTTP on this machine. Dispose of it to end it with SIGTERM. */
export class ServerProcess implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;

  private constructor(process: Deno.ChildProcess, readonly url: URL) {
    this.#process = process;
  }

  /** `serve.ts` with these flags, on a free port, once it is ready; rejects where it ends before. */
  static async serve(...flags: readonly string[]): Promise<ServerProcess> {
    const port = freePort();
    const script = fromFileUrl(new URL("serve.ts", ROOT));
    return await ServerProcess.start(["-A", script, "--port", `${port}`, "--log", "warn", ...flags], port);
  }

  /** `deno run` with these arguments, once `/v2/health/ready` answers 200 on the port; rejects where it ends before. */
  static async start(args: readonly string[], port: number): Promise<ServerProcess> {
    // Mesa prints an error for every device where this is unset.
    const env = { XDG_RUNTIME_DIR: Deno.env.get("XDG_RUNTIME_DIR") ?? "/tmp" };
    const options = { args: ["run", ...args], cwd: ROOT, env };
    const process = new Deno.Command(Deno.execPath(), { ...options, stdout: "null" }).spawn();
    const url = new URL(`http://127.0.0.1:${port}/`);
    let ended: number | undefined;
    void process.status.then(({ code }) => ended = code);
    while (true) {
      if (ended !== undefined) throw new Error(`Cannot start ${args.join(" ")}: it ended with code ${ended}`);
      const answer = await fetch(new URL("/v2/health/ready", url)).catch(() => undefined);
      await answer?.body?.cancel();
      if (answer?.ok) return new ServerProcess(process, url);
      await delay(50);
    }
  }

  get pid(): number {
    return this.#process.pid;
  }

  /** Ends it as an operator would; the exit code. */
  async stop(): Promise<number> {
    try {
      this.#process.kill("SIGTERM");
    } catch { // it has ended
    }
    return (await this.#process.status).code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

/** Runs `bench/server/load.ts` with these flags in a process of its own; rejects where it fails. */
export async function loadProcess(url: URL, ...flags: readonly string[]): Promise<LoadResult> {
  const script = fromFileUrl(new URL("bench/server/load.ts", ROOT));
  const args = ["run", "-A", script, "--url", url.href, ...flags];
  const { code, stdout } = await new Deno.Command(Deno.execPath(), { args, stderr: "inherit" }).output();
  if (code !== 0) throw new Error(`Cannot load ${url}: the load generator ended with code ${code}`);
  return JSON.parse(new TextDecoder().decode(stdout));
}

/** A port that was free a moment ago. */
export function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}
