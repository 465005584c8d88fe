/**
 * Who uses the server while it is attacked: an honest client that sends photos and a probe that asks for /health, in a thread of their own
 * so that the attacker's work does not show in what they measure. Each asks on a new connection, whether or not earlier ones are answered.
 * @module
 */
import { percentiles } from "../load_generator.ts";
import { ask, outcomeName, requestBytes, type Target } from "./connection.ts";

/** Photos and questions for /health a second. */
const RATES = { photo: 5, health: 10 } as const;

/** An honest client gives up then. */
const PATIENCE_MS = 30_000;

/** One request and what became of it; the time counts from when it was due. */
export interface Observation {
  readonly name: string;
  readonly milliseconds: number;
  /** Whether the answer says when to try again. */
  readonly retryAfter: boolean;
}

/** What was seen, by who saw it. */
export type Observations = Readonly<Record<keyof typeof RATES, readonly Observation[]>>;

interface Start {
  readonly target: Target;
  readonly photo: Uint8Array;
}

/** Starts them; `stop` sends nothing more and resolves with what was seen when the last of them is answered or has given up. */
export function startObservers(target: Target, photo: Uint8Array): { stop(): Promise<Observations> } {
  const worker = new Worker(import.meta.url, { type: "module" });
  worker.postMessage({ target, photo } satisfies Start);
  return {
    stop: () =>
      new Promise((resolve, reject) => {
        worker.onmessage = ({ data }: MessageEvent<Observations>) => {
          worker.terminate();
          resolve(data);
        };
        worker.onerror = ({ message }) => reject(new Error(`Cannot observe the server: ${message}`));
        worker.postMessage("stop");
      }),
  };
}

/** What a client saw, in numbers. */
export function summarise(seen: readonly Observation[]) {
  const statuses: Record<string, number> = {};
  for (const { name } of seen) statuses[name] = (statuses[name] ?? 0) + 1;
  const share = (check: (one: Observation) => boolean) =>
    seen.length === 0 ? 0 : Math.round(1000 * seen.filter(check).length / seen.length) / 1000;
  const { p50, p99, max } = percentiles(seen.length === 0 ? [0] : seen.map((one) => one.milliseconds));
  const in1s = (one: Observation) => one.name === "200" && one.milliseconds <= 1000;
  const refusedWell = (one: Observation) => one.name === "429" && one.retryAfter && one.milliseconds <= 100;
  return {
    requests: seen.length,
    statuses,
    p50Ms: Math.round(p50),
    p99Ms: Math.round(p99),
    longestMs: Math.round(max),
    answeredIn1s: share(in1s),
    /** 200 within 1 s, or 429 with Retry-After within 0.1 s. */
    servedOrRefusedWell: share((one) => in1s(one) || refusedWell(one)),
  };
}

if (import.meta.main) {
  const scope = self as unknown as {
    onmessage: (event: MessageEvent<Start | "stop">) => void;
    postMessage(seen: Observations): void;
  };
  const seen: Record<keyof Observations, Observation[]> = { photo: [], health: [] };
  const running = new Set<Promise<void>>();
  const timers: ReturnType<typeof setInterval>[] = [];
  const observe = (target: Target, who: keyof Observations, request: Uint8Array) => {
    const started = performance.now();
    let sent = 0;
    const send = async () => {
      const due = started + sent++ * 1000 / RATES[who];
      const { outcome } = await ask(target, request, PATIENCE_MS);
      seen[who].push({
        name: outcomeName(outcome),
        milliseconds: performance.now() - due,
        retryAfter: typeof outcome !== "string" && outcome.headers["retry-after"] !== undefined,
      });
    };
    // By the clock and not by the timer: a timer that comes late must not make the client patient.
    timers.push(setInterval(() => {
      while (started + sent * 1000 / RATES[who] <= performance.now()) {
        const one = send().finally(() => running.delete(one));
        running.add(one);
      }
    }, 10));
  };
  scope.onmessage = async ({ data }) => {
    if (data === "stop") {
      for (const timer of timers) clearInterval(timer);
      await Promise.all(running);
      return scope.postMessage(seen);
    }
    const headers = { Connection: "close" };
    observe(data.target, "photo", requestBytes("POST", "/predict", { headers, body: data.photo }));
    observe(data.target, "health", requestBytes("GET", "/health", { headers }));
  };
}
