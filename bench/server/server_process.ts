/**
 * Servers and load generators as processes of their own, which end with this one, and the memory that they take.
 * @module
 */
import { delay } from "@std/async/delay";
import { fromFileUrl } from "@std/path";
import { TextLineStream } from "@std/streams/text-line-stream";
import type { LoadResult } from "./load_generator.ts";

const ROOT = new URL("../../", import.meta.url);

const running = new Set<Deno.ChildProcess>();

/** Starts `deno` with these arguments; a signal that ends this process ends that one, too. */
function startDeno(
  args: readonly string[],
  options: Deno.CommandOptions,
  openFiles?: number,
): Deno.ChildProcess {
  const command = openFiles === undefined
    ? new Deno.Command(Deno.execPath(), { ...options, args: [...args] })
    // The shell's own limit, hard and soft, is what it hands on.
    : new Deno.Command("sh", {
      ...options,
      args: ["-c", 'ulimit -n "$0" && exec "$@"', `${openFiles}`, Deno.execPath(), ...args],
    });
  const child = command.spawn();
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

/** How a server process is started. */
export interface StartOptions {
  /** The hard limit of its open files; absent: this process's own. */
  readonly openFiles?: number | undefined;
  /** Takes each line that it prints; absent: they are dropped. */
  readonly onLine?: ((line: string) => void) | undefined;
}

/** A process that answers HTTP on this machine. Dispose of it to end it with SIGTERM. */
export class ServerProcess implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  #code: number | undefined;

  private constructor(process: Deno.ChildProcess, readonly url: URL) {
    this.#process = process;
    void process.status.then(({ code }) => this.#code = code);
  }

  /** `serve.ts` with these flags, on a free port, once it is ready; rejects where it ends before. */
  static async serve(
    { flags, preload, ...options }: {
      readonly flags: readonly string[];
      /** A module that runs before it. */
      readonly preload?: URL;
    } & StartOptions,
  ): Promise<ServerProcess> {
    const port = freePort();
    const script = fromFileUrl(new URL("serve.ts", ROOT));
    const before = preload === undefined ? [] : ["--preload", fromFileUrl(preload)];
    const args = ["-A", ...before, script, "--port", `${port}`, "--log", "warn", ...flags];
    return await ServerProcess.start(args, port, options);
  }

  /** `deno run` with these arguments, once `/v2/health/ready` answers 200 on the port; rejects where it ends before. */
  static async start(
    args: readonly string[],
    port: number,
    { openFiles, onLine }: StartOptions = {},
  ): Promise<ServerProcess> {
    // Mesa prints an error for every device where this is unset.
    const env = { XDG_RUNTIME_DIR: Deno.env.get("XDG_RUNTIME_DIR") ?? "/tmp" };
    const stdout = onLine === undefined ? "null" : "piped";
    const process = startDeno(["run", ...args], { cwd: ROOT, env, stdout }, openFiles);
    if (onLine !== undefined) void readLines(process.stdout, onLine);
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

  /** Its exit code; undefined while it runs. */
  get code(): number | undefined {
    return this.#code;
  }

  /** Sends it a signal, which is nothing where it has ended. */
  kill(signal: Deno.Signal): void {
    if (this.#code === undefined) this.#process.kill(signal);
  }

  /** Ends it as an operator would; the exit code. */
  async stop(): Promise<number> {
    return await end(this.#process);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

async function readLines(stream: ReadableStream<Uint8Array<ArrayBuffer>>, onLine: (line: string) => void) {
  const splitter: TransformStream<string, string> = new TextLineStream();
  for await (const line of stream.pipeThrough(new TextDecoderStream()).pipeThrough(splitter)) onLine(line);
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

/** Resident bytes of every process and who its parent is, on Linux. */
async function readProcesses(): Promise<Map<number, { readonly parent: number; readonly bytes: number }>> {
  const found = new Map<number, { parent: number; bytes: number }>();
  for await (const { name } of Deno.readDir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const status = await Deno.readTextFile(`/proc/${name}/status`).catch(() => ""); // it may have ended meanwhile
    const parent = Number(/^PPid:\s+(\d+)/m.exec(status)?.[1]);
    found.set(Number(name), { parent, bytes: Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024 });
  }
  return found;
}

/** The processes that a process has started, on Linux. */
export async function childProcesses(pid: number): Promise<number[]> {
  return [...await readProcesses()].filter(([, { parent }]) => parent === pid).map(([child]) => child);
}

/** Resident bytes of a process and all its descendants, on Linux. Rejects where there is no such process. */
export async function residentBytes(pid: number): Promise<number> {
  const processes = await readProcesses();
  if (!processes.has(pid)) throw new Error(`Cannot read the memory of process ${pid}: it does not run`);
  const children = Map.groupBy(processes, ([, { parent }]) => parent);
  const sum = (one: number): number =>
    processes.get(one)!.bytes + (children.get(one) ?? []).reduce((total, [child]) => total + sum(child), 0);
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
