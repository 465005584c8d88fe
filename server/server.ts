/**
 * The server as a whole: device, models, decoders and HTTP, from start to drained.
 * @module
 */
import { delay } from "@std/async/delay";
import { type AppOptions, createApp } from "./http/app.ts";
import type { Limits } from "./http/context.ts";
import type { GuardOptions } from "./http/guard.ts";
import { listen } from "./http/listener.ts";
import { Metrics } from "./http/metrics.ts";
import { findRuns } from "../model/checkpoint/runs.ts";
import { isModelName, type ModelSource } from "./inference/checkpoint_file.ts";
import type { Logger } from "./inference/log.ts";
import { ModelRegistry } from "./inference/registry.ts";
import type { Decoder } from "./inference/served_model.ts";
import { Codec } from "./workers/codec.ts";
import { GpuHost } from "./workers/gpu_host.ts";
import { Supervisor } from "./workers/supervisor.ts";

/** Everything that can be chosen. */
export interface ServerOptions extends GuardOptions, Pick<AppOptions, "engine"> {
  /** The checkpoints to serve, the default model first. */
  readonly sources: readonly ModelSource[];
  /** A folder of runs whose models may be loaded by name. */
  readonly repository?: string | undefined;
  /** Starts the GPU's worker; default: the one with the real network. */
  readonly startGpuWorker?: (() => Worker) | undefined;
  readonly decoder: Decoder & { close(): void | Promise<void> };
  readonly log: Logger;
  readonly hostname: string;
  /** 0: any free port. */
  readonly port: number;
  readonly limits: Limits;
  readonly maxBatch: number;
  readonly maxDelayMs: number;
  readonly maxQueue: number;
  readonly maxWaitMs: number;
  /** How often checkpoints are looked at; 0: never. */
  readonly watchMs: number;
  /** From the request to stop until the end, at most. */
  readonly drainMs: number;
  /** How long new connections are still taken while draining, so that load balancers see that the server is not ready. */
  readonly lameDuckMs: number;
  /** A call to the device that takes longer means that it hangs. */
  readonly deviceTimeoutMs: number;
  /** A device that was not asked anything for this long gets a heartbeat: one small call. */
  readonly heartbeatMs: number;
  /** Connections at one time. */
  readonly maxConnections: number;
  /** How long a request's headers may take. */
  readonly headerTimeoutMs: number;
  /** How long a connection may be idle between requests. */
  readonly keepAliveMs: number;
  /** Ends the server while it still loads; afterwards `drain` does. */
  readonly stop?: AbortSignal | undefined;
}

/** What is refused when the server closes is still written; nobody is waited for longer. */
const LAST_ANSWERS_MS = 500;

/** A server that runs. */
export interface RunningServer {
  readonly url: URL;
  readonly models: ModelRegistry;
  /** Not ready at once, then finishes what was accepted, then ends; false where that took longer than `drainMs`. */
  drain(): Promise<boolean>;
  /** Ends at once. */
  close(): Promise<void>;
}

/**
 * Listens, then loads: the server is live from the start and ready when every model is loaded. Rejects, with everything ended, where
 * the port is taken, a model cannot be loaded, or `stop` is aborted before all are.
 */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const { log, limits, maxBatch, maxDelayMs, maxQueue, maxWaitMs } = options;
  const metrics = new Metrics();
  const supervisor = new Supervisor({
    startHost: () =>
      new GpuHost({ startWorker: options.startGpuWorker, callTimeoutMs: options.deviceTimeoutMs }),
    log,
    heartbeatMs: options.heartbeatMs,
    stallMs: options.deviceTimeoutMs / 2,
    retryMs: 100,
    onLoss: () => metrics.deviceLosses.inc(),
  });
  const { repository } = options;
  const models = new ModelRegistry(options.sources, {
    open: (path) => supervisor.open(path, { maxBatch }),
    batching: { maxBatch, maxDelayMs, maxQueue, maxWaitMs },
    // A load that is broken off because the server was asked to end is no failure.
    log: { ...log, error: (...line) => void (options.stop?.aborted || log.error(...line)) },
    ...(repository === undefined ? {} : { available: () => servedRuns(repository) }),
    onBatch: (model, size) => metrics.batchSizes.observe({ model }, size),
    onLoad: ({ name }, succeeded) =>
      metrics.loads.inc({ model: name, outcome: succeeded ? "success" : "failure" }),
  });
  metrics.observe(models, () => supervisor.ready);
  const codec = new Codec();
  const { decoder } = options;
  const app = await createApp({ models, decoder, codec, metrics, log, limits, state: supervisor }, options);
  const listener = await listen(app.fetch, {
    ...options,
    requestTimeoutMs: options.headerTimeoutMs + limits.bodyTimeoutMs + 1000,
    onRefuse: (reason) => metrics.rejected.inc({ reason }),
  });
  metrics.observeConnections(() => listener.connections);
  const { url } = listener;
  let watcher: Disposable | undefined;
  const close = async () => {
    watcher?.[Symbol.dispose]();
    supervisor.close();
    codec[Symbol.dispose]();
    await decoder.close();
    await listener.close(LAST_ANSWERS_MS);
  };
  log.info("listening", { url: url.href });
  try {
    await unlessStopped(Promise.all([supervisor.start(models), codec.warm()]), options.stop);
  } catch (error) {
    await close();
    throw error;
  }
  if (options.watchMs > 0) watcher = models.watch(options.watchMs);
  log.info("ready", { url: url.href, models: models.names });
  const drain = async () => {
    supervisor.drain();
    log.info("draining", { drainMs: options.drainMs });
    const late = new AbortController();
    const finished = delay(options.lameDuckMs).then(() => listener.shutdown()).then(() => true);
    const timeout = delay(options.drainMs, { signal: late.signal }).then(() => false, () => false);
    const inTime = await Promise.race([finished, timeout]);
    late.abort();
    await close();
    log.info("stopped", { everythingAnswered: inTime });
    return inTime;
  };
  return { url, models, drain, close };
}

/** What a promise gives, unless the signal is aborted before: then its reason is thrown. */
async function unlessStopped<T>(work: Promise<T>, stop: AbortSignal | undefined): Promise<T> {
  if (stop === undefined) return await work;
  const aborted = Promise.withResolvers<never>();
  const onAbort = () => aborted.reject(stop.reason);
  stop.addEventListener("abort", onAbort);
  try {
    if (stop.aborted) onAbort();
    return await Promise.race([work, aborted.promise]);
  } finally {
    stop.removeEventListener("abort", onAbort);
  }
}

/** The runs of a folder whose names can be models'. */
async function servedRuns(folder: string): Promise<ModelSource[]> {
  return (await findRuns(folder)).filter(({ name }) => isModelName(name));
}
