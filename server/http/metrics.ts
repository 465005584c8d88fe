/**
 * What the server counts and measures, in Prometheus' format.
 * @module
 */
import { Counter, Gauge, Histogram, Registry } from "prom-client";
import process from "node:process";
import type { ModelRegistry } from "../inference/registry.ts";

/** The parts of a request that are timed. */
export type Stage = "body" | "decode" | "queue" | "compute" | "total";

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** The server's metrics; one registry each, so that tests do not share counts. */
export class Metrics {
  readonly #registry = new Registry();
  readonly requests = this.#counter(
    "alexnet_http_requests_total",
    "Requests by route, method and status code.",
    [
      "route",
      "method",
      "code",
    ],
  );
  readonly rejected = this.#counter(
    "alexnet_rejected_requests_total",
    "Requests refused or given up, by reason.",
    [
      "reason",
    ],
  );
  readonly deviceLosses = this.#counter(
    "alexnet_device_losses_total",
    "Times the device or its worker was lost.",
    [],
  );
  readonly loads = this.#counter("alexnet_model_loads_total", "Attempts to load a model, by outcome.", [
    "model",
    "outcome",
  ]);
  readonly stages = new Histogram({
    name: "alexnet_stage_seconds",
    help: "Time spent in each stage of answering: body, decode, queue, compute, total.",
    labelNames: ["stage"],
    buckets: SECONDS,
    registers: [this.#registry],
  });
  readonly batchSizes = new Histogram({
    name: "alexnet_batch_size",
    help: "Inputs in one pass through the network.",
    labelNames: ["model"],
    buckets: [1, 2, 4, 8, 16, 32, 64, 128],
    registers: [this.#registry],
  });

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
    this.#gauge("process_resident_memory_bytes", "Resident memory of the process.", [], (gauge) => {
      gauge.set(Deno.memoryUsage().rss);
    });
    this.#gauge("process_start_time_seconds", "When the process started, in Unix time.", [], (gauge) => {
      gauge.set(performance.timeOrigin / 1000);
    });
    this.#gauge("process_cpu_seconds_total", "Processor time used by the process.", [], (gauge) => {
      const { user, system } = process.cpuUsage();
      gauge.set((user + system) / 1e6);
    });
  }

  /** The text that Prometheus reads, and its content type. */
  async render(): Promise<{ text: string; type: string }> {
    return { text: await this.#registry.metrics(), type: this.#registry.contentType };
  }

  #counter<L extends string>(name: string, help: string, labelNames: readonly L[]): Counter<L> {
    return new Counter({ name, help, labelNames, registers: [this.#registry] });
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
