/**
 * What the server counts and measures, in Prometheus' format.
 * @module
 */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";
import type { ModelRegistry } from "../inference/registry.ts";

/** The parts of a request that are timed. */
export type Stage = "body" | "decode" | "queue" | "compute" | "total";

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** The server's metrics; one registry each, so that tests do not share counts. */
export class Metrics {
  readonly #registry = new Registry();
  /** Requests by route, method and status code. */
  readonly requests: Counter<"route" | "method" | "code"> = this.#counter(
    "alexnet_http_requests_total",
    "Requests by route, method and status code.",
    ["route", "method", "code"],
  );
  /** Requests refused or given up, by reason. */
  readonly rejected: Counter<"reason"> = this.#counter(
    "alexnet_rejected_requests_total",
    "Requests refused or given up, by reason.",
    ["reason"],
  );
  /** Times the device or its worker was lost. */
  readonly deviceLosses: Counter = this.#counter(
    "alexnet_device_losses_total",
    "Times the device or its worker was lost.",
    [],
  );
  /** Attempts to load a model, by outcome. */
  readonly loads: Counter<"model" | "outcome"> = this.#counter(
    "alexnet_model_loads_total",
    "Attempts to load a model, by outcome.",
    ["model", "outcome"],
  );
  /** Inputs in one pass through the network. */
  readonly batchSizes: Histogram<"model"> = this.#histogram(
    "alexnet_batch_size",
    "Inputs in one pass through the network.",
    ["model"],
    [1, 2, 4, 8, 16, 32, 64, 128],
  );
  readonly #stages = this.#histogram(
    "alexnet_stage_seconds",
    "Time spent in each stage of answering: body, decode, queue, compute, total.",
    ["stage"],
    SECONDS,
  );

  constructor() {
    // Of Node's metrics Deno measures some wrongly (a loop blocked for 200 ms lags by 3). Those of memory and files are read in /proc,
    // which only a program that may do everything can: they would be nought.
    collectDefaultMetrics({ register: this.#registry, eventLoopMonitoringPrecision: 60_000 });
    for (const { name } of this.#registry.getMetricsAsArray()) {
      if (/^nodejs_|_bytes$|_fds$/.test(name)) this.#registry.removeSingleMetric(name);
    }
    this.#gauge("process_resident_memory_bytes", "Resident memory size in bytes.", [], (gauge) => {
      gauge.set(Deno.memoryUsage().rss);
    });
  }

  /** Records what a stage of one request took. */
  observeStage(stage: Stage, milliseconds: number): void {
    this.#stages.observe({ stage }, milliseconds / 1000);
  }

  /** Adds what is read from the models when somebody asks; `ready` is 1 or 0. */
  observe(models: ModelRegistry, ready: () => boolean): void {
    this.#gauge("alexnet_ready", "1 while the server can answer.", [], (gauge) => gauge.set(ready() ? 1 : 0));
    this.#gauge(
      "alexnet_queue_length",
      "Inputs being decoded, queued or computed, by model.",
      ["model"],
      (gauge) => {
        gauge.reset();
        for (const { identity, batcher } of models.models) gauge.inc({ model: identity.name }, batcher.load);
      },
    );
    this.#gauge("alexnet_device_memory_bytes", "Device memory held by all models.", [], async (gauge) => {
      const [model] = models.models; // they share the device, and each tells the whole
      gauge.set(await model?.classifier.memory().catch(() => 0) ?? 0); // a device that is gone holds nothing
    });
  }

  /** Adds how many connections are open. */
  observeConnections(count: () => number): void {
    this.#gauge("alexnet_connections", "Open connections.", [], (gauge) => gauge.set(count()));
  }

  /** The text that Prometheus reads, and its content type. */
  async render(): Promise<{ text: string; type: string }> {
    return { text: await this.#registry.metrics(), type: this.#registry.contentType };
  }

  #counter<L extends string>(name: string, help: string, labelNames: readonly L[]): Counter<L> {
    return new Counter({ name, help, labelNames, registers: [this.#registry] });
  }

  #histogram<L extends string>(
    name: string,
    help: string,
    labelNames: readonly L[],
    buckets: number[],
  ): Histogram<L> {
    return new Histogram({ name, help, labelNames, buckets, registers: [this.#registry] });
  }

  #gauge<L extends string>(
    name: string,
    help: string,
    labelNames: readonly L[],
    collect: (gauge: Gauge<L>) => void | Promise<void>,
  ): void {
    new Gauge({
      name,
      help,
      labelNames,
      registers: [this.#registry],
      collect() {
        return collect(this);
      },
    });
  }
}
