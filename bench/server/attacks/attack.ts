/**
 * What an attack is, and how one is carried out: on a server of its own, while honest clients use it and its memory is watched.
 * @module
 */
import { delay } from "@std/async/delay";
import { residentBytes, ServerProcess, watchMemory } from "../server_process.ts";
import { type Answer, outcomeName, type Silence, type Target } from "./connection.ts";
import { startObservers, summarise } from "./observers.ts";

/** One way to hurt a server. */
export interface Attack {
  readonly name: string;
  /** What is done, in a sentence. */
  readonly what: string;
  /** Flags that the server is started with, beside the checkpoint. */
  readonly flags?: readonly string[];
  /** The hard limit of the server's open files. */
  readonly openFiles?: number;
  /** The places are filled by requests that an honest client might send, so that 429 is an answer that others may get. */
  readonly honestMeans?: boolean;
  /** Does it until `seconds` are over, or once where once takes longer. */
  run(context: AttackContext): Promise<Readonly<Record<string, unknown>> | void>;
}

/** What an attack works with. */
export interface AttackContext {
  readonly target: Target;
  readonly server: ServerProcess;
  /** The model's name, and its input's height and width. */
  readonly model: { readonly name: string; readonly size: number };
  /** Any photo of ordinary size. */
  readonly photo: Uint8Array<ArrayBuffer>;
  readonly seconds: number;
  /** Counts how one of the attacker's requests ended. */
  count(outcome: Answer | Silence | string): void;
  /** Ends the watch of the honest clients: for attacks that end the server. */
  leave(): Promise<unknown>;
}

/** How all attacks are carried out. */
export interface RunOptions {
  readonly checkpoint: string;
  /** Flags for the server, beside the attack's own. */
  readonly flags: readonly string[];
  readonly photo: Uint8Array<ArrayBuffer>;
  readonly seconds: number;
  /** The attacker's address; absent: the honest clients' own. */
  readonly from?: string | undefined;
}

/** The flags' default: `--max-bodies-mb`. */
const BODIES_MB = 256;

/** Carries one out and says what came of it. */
export async function carryOut(attack: Attack, options: RunOptions) {
  const { photo, seconds } = options;
  const load = (await Deno.readTextFile("/proc/loadavg").catch(() => "")).split(" ")[0];
  await using server = await ServerProcess.serve({
    flags: ["--checkpoint", `m=${options.checkpoint}`, ...attack.flags ?? [], ...options.flags],
    openFiles: attack.openFiles,
  });
  const { name, preprocess } = await (await fetch(new URL("/model", server.url))).json();
  for (let i = 0; i < 5; i++) { // what compiles does so here
    await (await fetch(new URL("/predict", server.url), { method: "POST", body: photo })).body?.cancel();
  }
  const honest = { hostname: server.url.hostname, port: Number(server.url.port) };
  using memory = watchMemory(server.pid, 100);
  const observers = startObservers(honest, photo);
  let seen: ReturnType<typeof observers.stop> | undefined;
  const leave = () => seen ??= observers.stop();
  await delay(2000);
  const restingMB = memory.samples.at(-1)?.residentMB ?? NaN;
  const cpuBefore = await Promise.all([server.pid, Deno.pid].map(cpuSeconds));
  const statuses: Record<string, number> = {};
  const started = performance.now();
  const details = await attack.run({
    target: { ...honest, from: options.from },
    server,
    model: { name, size: preprocess.height },
    photo,
    seconds,
    count: (outcome) => {
      const key = typeof outcome === "string" ? outcome : outcomeName(outcome);
      statuses[key] = (statuses[key] ?? 0) + 1;
    },
    leave,
  });
  const took = (performance.now() - started) / 1000;
  const [serverCpu, benchCpu] = await Promise.all([server.pid, Deno.pid].map(async (pid, i) => {
    const [before, now] = [cpuBefore[i]!, await cpuSeconds(pid)];
    return before === null || now === null ? null : Math.round((now - before) * 10) / 10;
  }));
  if (server.code === undefined && seen === undefined) await delay(2000);
  const { photo: photos, health } = await leave();
  const afterMB = await residentBytes(server.pid).then((bytes) => bytes / 1e6, () => null);
  const ended = server.code ?? null;
  server.kill("SIGKILL"); // one that hangs would take its time to end otherwise
  const highestMB = Math.max(restingMB, ...memory.samples.map(({ residentMB }) => residentMB));
  const client = summarise(photos), probe = summarise(health);
  return {
    attack: attack.name,
    what: attack.what,
    seconds: Math.round(took * 10) / 10,
    attacker: { statuses, ...details },
    honest: client,
    health: { statuses: probe.statuses, p99Ms: probe.p99Ms, longestStallMs: probe.longestMs },
    memoryMB: {
      resting: Math.round(restingMB),
      highest: Math.round(highestMB),
      after: afterMB === null ? null : Math.round(afterMB),
    },
    /** The exit code where the server ended. */
    ended,
    beside: {
      cores: navigator.hardwareConcurrency,
      /** Processor time while the attack went on; the decoders' is not in it. */
      serverCpuSeconds: serverCpu,
      attackerAndClientsCpuSeconds: benchCpu,
      loadBefore: Number(load),
    },
    held: {
      honest: (attack.honestMeans ? client.servedOrRefusedWell : client.answeredIn1s) >= 0.99,
      memory: highestMB <= 2 * restingMB + BODIES_MB,
      health: probe.p99Ms <= 50,
      alive: ended === null,
    },
  };
}

/** Processor time of a process without its children, on Linux; null where it does not run. */
async function cpuSeconds(pid: number): Promise<number | null> {
  const text = await Deno.readTextFile(`/proc/${pid}/stat`).catch(() => null);
  if (text === null) return null;
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100; // in ticks, of which Linux tells a hundred a second
}

/** Does something again and again, at most every `everyMs`, until `seconds` are over. */
export async function again(seconds: number, everyMs: number, act: () => Promise<void>): Promise<void> {
  const end = performance.now() + seconds * 1000;
  while (performance.now() < end) {
    const next = performance.now() + everyMs;
    await act();
    await delay(Math.max(0, Math.min(next, end) - performance.now()));
  }
}
