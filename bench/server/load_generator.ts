/**
 * Load on a model server on this machine: what is sent, how, and how it is answered.
 * @module
 */
import { delay } from "@std/async/delay";
import { walkPhotos } from "../steps/photo_data.ts";

/** What is sent, to whom, and for how long. */
export interface LoadOptions {
  /** Only loopback addresses are taken. */
  readonly url: URL;
  /** The request to send as number `i`. */
  readonly request: MakeRequest;
  /** Clients that each wait for their answer before they ask again; with `rate`, requests under way at most. */
  readonly concurrency: number;
  readonly seconds: number;
  /** Requests per second, sent whether or not earlier ones are answered; those beyond `concurrency` are not sent, but counted. */
  readonly rate?: number | undefined;
  /** Requests at most. */
  readonly maxRequests?: number | undefined;
  /** Ends it before its time. */
  readonly signal?: AbortSignal | undefined;
  /** Pause of each client between an answer and its next question. */
  readonly pauseMs?: number | undefined;
}

/** Latencies in milliseconds. */
export interface Latency {
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly max: number;
}

/** What came of it. */
export interface LoadResult {
  readonly requests: number;
  /** Duration until the last answer. */
  readonly seconds: number;
  /** Answers with status 200 per second. */
  readonly throughput: number;
  /** Of answers with status 200; null where there was none. */
  readonly latency: Latency | null;
  /** Answers by status; `failed` counts requests without an answer. */
  readonly codes: Readonly<Record<string, number>>;
  /** Requests that could not be sent at the rate, because too many were under way. */
  readonly notSent: number;
}

const LOOPBACK = /^(127(\.\d{1,3}){3}|localhost|\[::1\])$/;

/** Runs the load to its end. Throws a `RangeError` for a server that is not on this machine. */
export async function runLoad(options: LoadOptions): Promise<LoadResult> {
  const { url, request, concurrency, seconds, rate, maxRequests = Infinity, signal, pauseMs = 0 } = options;
  if (!LOOPBACK.test(url.hostname)) {
    throw new RangeError(`Cannot send load to ${url.hostname}: expected a server on this machine`);
  }
  const codes: Record<string, number> = {};
  const latencies: number[] = [];
  let next = 0;
  const send = async () => {
    const { path, init } = request(next++);
    const started = performance.now();
    let code: string;
    try {
      const response = await fetch(new URL(path, url), init);
      await response.arrayBuffer();
      code = String(response.status);
      if (response.status === 200) latencies.push(performance.now() - started);
    } catch {
      code = "failed";
    }
    codes[code] = (codes[code] ?? 0) + 1;
  };
  const started = performance.now();
  const end = started + seconds * 1000;
  const goesOn = () => performance.now() < end && next < maxRequests && !signal?.aborted;
  let notSent = 0;
  if (rate === undefined) {
    await Promise.all(Array.from({ length: concurrency }, async () => {
      while (goesOn()) {
        await send();
        if (pauseMs > 0) await delay(pauseMs);
      }
    }));
  } else {
    const running = new Set<Promise<void>>();
    for (let due = 0; goesOn(); due++) {
      const wait = started + due * 1000 / rate - performance.now();
      if (wait > 0) await delay(wait);
      if (running.size >= concurrency) {
        notSent++;
      } else {
        const one = send().finally(() => running.delete(one));
        running.add(one);
      }
    }
    await Promise.all(running);
  }
  const took = (performance.now() - started) / 1000;
  return {
    requests: next,
    seconds: took,
    throughput: latencies.length / took,
    latency: latencies.length === 0 ? null : percentiles(latencies),
    codes,
    notSent,
  };
}

/** Nearest-rank percentiles of at least one value. */
export function percentiles(values: readonly number[]): Latency {
  const sorted = [...values].sort((a, b) => a - b);
  const rank = (share: number) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]!;
  return { p50: rank(0.5), p90: rank(0.9), p99: rank(0.99), max: sorted.at(-1)! };
}

/** Photos to classify, tensors in the binary tensor data extension or as JSON, or one address again and again. */
export const MODES = ["photo", "tensor", "tensor-json", "get"] as const;

/** One of them. */
export type Mode = typeof MODES[number];

/** Which requests to send to which server. */
export interface RequestOptions {
  readonly url: URL;
  readonly mode: Mode;
  /** Folder of photos, for `photo`. */
  readonly photos?: string | undefined;
  /** How many of them; default 64. */
  readonly maxPhotos?: number;
  /** Inputs of each tensor request; default 1. */
  readonly batch?: number;
  /** What to ask for with `get`; default /health. */
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The request to send as number `i`. */
export type MakeRequest = (i: number) => { readonly path: string; readonly init?: RequestInit };

/** Prepares the requests, so that sending costs little. Rejects with an `Error` where there is no photo. */
export async function makeRequests(options: RequestOptions): Promise<MakeRequest> {
  const { mode, photos: folder, maxPhotos = 64, path = "/health", headers = {} } = options;
  if (mode === "get") return () => ({ path, init: { headers } });
  if (mode !== "photo") {
    const { name, body, extra } = await tensorRequest(options);
    const init = { method: "POST", headers: { ...headers, ...extra }, body };
    return () => ({ path: `/v2/models/${name}/infer`, init });
  }
  if (folder === undefined) throw new Error("Cannot send photos: --mode photo needs --photos DIR");
  const photos = await walkPhotos(folder, maxPhotos);
  if (photos.length === 0) throw new Error(`Cannot send photos: there is none in ${folder}`);
  return (i) => ({
    path: "/predict",
    init: { method: "POST", headers, body: photos[i % photos.length]! },
  });
}

/** A tensor of the default model's size. */
async function tensorRequest({ url, mode, batch = 1, headers = {} }: RequestOptions) {
  const { name, preprocess: { height, width } } = await (await fetch(new URL("/model", url), { headers }))
    .json();
  const values = new Float32Array(batch * 3 * height * width).map((_, i) => Math.sin(i));
  const input = { name: "input", shape: [batch, 3, height, width], datatype: "FP32" };
  if (mode === "tensor-json") {
    const body = JSON.stringify({ inputs: [{ ...input, data: Array.from(values) }] });
    return { name, body, extra: { "content-type": "application/json" } };
  }
  const json = JSON.stringify({
    inputs: [{ ...input, parameters: { binary_data_size: values.byteLength } }],
  });
  const body = await new Blob([json, values]).arrayBuffer();
  return {
    name,
    body,
    extra: {
      "content-type": "application/octet-stream",
      "inference-header-content-length": String(json.length),
    },
  };
}
