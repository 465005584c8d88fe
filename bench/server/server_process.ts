/**
 * Servers and load generators as processes of their own, which end with this one, and the memory that they take.
 * @module
 */
import { delay } from "@std/async/delay";
import { fromFileUrl } from "@std/path";
import type { LoadResult } from "./load_generator.ts";

const ROOT = new URL("../../", import.meta.url);

const running = new Set<Deno.ChildProcess>();

/** Starts `deno` with these arguments; a signal that ends this process ends that one, too. */
function startDeno(args: readonly string[], options: Deno.CommandOptions): Deno.ChildProcess {
  const child = new Deno.Command(Deno.execPath(), { ...options, args: [...args] }).spawn();
  if (running.size === 0) listenForEnd(Deno.addSignalListener);
  running.add(child);
  void child.status.then(() => {
    running.delete(child);
    if (running.size === 0) listenForEnd(Deno.removeSignalListener);
  });
  return child;
}

const onInterrupt = () => void endAll(130);
const onTerminate = () => void endAll(143);

function listenForEnd(change: (signal: Deno.Signal, handler: () => void) => void): void {
  change("SIGINT", onInterrupt);
  change("SIGTERM", onTerminate);
}

let ending = false;

/** Asked twice, it does not wait for what they still have to do. */
async function endAll(code: number): Promise<never> {
  if (ending) { for (const child of running) child.kill("SIGKILL"); }
  ending = true;
  await Promise.all([...running].map(end));
  Deno.exit(code);
}

/** Ends a process as an operator would; its exit code. */
async function end(child: Deno.ChildProcess): Promise<number> {
  try {
    child.kill("SIGTERM");
  } catch { // it has ended
  }
  return (await child.status).code;
}

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
    const process = startDeno(["run", ...args], { cwd: ROOT, env, stdout: "null" });
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
    return await end(this.#process);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

/** Runs `bench/server/load.ts` with these flags in a process of its own; rejects where it fails. */
export async function loadProcess(url: URL, ...flags: readonly string[]): Promise<LoadResult> {
  const script = fromFileUrl(new URL("bench/server/load.ts", ROOT));
  const args = ["run", "-A", script, "--url", url.href, ...flags];
  const { code, stdout } = await startDeno(args, { stdout: "piped" }).output();
  if (code !== 0) throw new Error(`Cannot load ${url}: the load generator ended with code ${code}`);
  return JSON.parse(new TextDecoder().decode(stdout));
}

/** A port that was free a moment ago. */
export function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** Resident bytes of a process and all its descendants, on Linux. Rejects where there is no such process. */
export async function residentBytes(pid: number): Promise<number> {
  const children = new Map<number, number[]>();
  const own = new Map<number, number>();
  for await (const { name } of Deno.readDir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const status = await Deno.readTextFile(`/proc/${name}/status`).catch(() => ""); // it may have ended meanwhile
    const parent = Number(/^PPid:\s+(\d+)/m.exec(status)?.[1]);
    own.set(Number(name), Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024);
    children.set(parent, [...children.get(parent) ?? [], Number(name)]);
  }
  if (!own.has(pid)) throw new Error(`Cannot read the memory of process ${pid}: it does not run`);
  const sum = (one: number): number =>
    (own.get(one) ?? 0) + (children.get(one) ?? []).reduce((a, child) => a + sum(child), 0);
  return sum(pid);
}

/** A moment's memory. */
export interface MemorySample {
  /** Since watching began. */
  readonly seconds: number;
  /** Resident memory of the process and its descendants. */
  readonly residentMB: number;
}

/** Looks at a process's memory again and again until it is disposed of. */
export function watchMemory(pid: number, everyMs: number): { samples: MemorySample[] } & Disposable {
  const samples: MemorySample[] = [];
  const started = performance.now();
  const look = async () => {
    const bytes = await residentBytes(pid).catch(() => undefined); // it may have ended
    if (bytes !== undefined) {
      samples.push({ seconds: (performance.now() - started) / 1000, residentMB: bytes / 1e6 });
    }
  };
  const timer = setInterval(look, everyMs);
  return { samples, [Symbol.dispose]: () => clearInterval(timer) };
}

/** The mean resident memory of the samples in a part of the time: 0 is the beginning, 1 the end. Null where there is none. */
export function meanMB(samples: readonly MemorySample[], from: number, to: number): number | null {
  const end = samples.at(-1)?.seconds ?? 0;
  const chosen = samples.filter(({ seconds }) => seconds >= from * end && seconds <= to * end);
  if (chosen.length === 0) return null;
  return Math.round(chosen.reduce((sum, { residentMB }) => sum + residentMB, 0) / chosen.length);
}
