/**
 * Keeps a device under the models: starts it, notices when it is gone, starts another and loads the models again.
 * @module
 */
import { delay } from "@std/async/delay";
import type { RowClassifier } from "../inference/batcher.ts";
import type { Logger } from "../inference/log.ts";
import type { ModelRegistry } from "../inference/registry.ts";
import type { GpuHost } from "./gpu_host.ts";
import type { LoadOptions } from "./gpu_thread.ts";

/** What the server is doing. Only while `serving` can it be ready. */
export type Phase = "starting" | "serving" | "recovering" | "draining";

/** How the device is started and watched. */
export interface SupervisorOptions {
  readonly startHost: () => GpuHost;
  readonly log: Logger;
  /** A device that was not asked anything for this long gets a heartbeat: one small call. */
  readonly heartbeatMs: number;
  /** A call that runs this long makes the server not ready, before it is given up as lost. */
  readonly stallMs: number;
  /** Waiting time before the second attempt to recover; doubles with each, up to 64 times. */
  readonly retryMs: number;
  /** Called at every loss. */
  readonly onLoss?: () => void;
}

/** Owns the GPU's worker. */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #stopped = new AbortController();
  #registry: ModelRegistry | undefined;
  #host: GpuHost | undefined;
  #lost = false;
  #phase: Phase = "starting";
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  /** What the server is doing. */
  get phase(): Phase {
    return this.#phase;
  }

  /** Whether the device answers and every wanted model is loaded. */
  get ready(): boolean {
    return this.#phase === "serving" && this.#registry!.ready && this.#host!.waiting < this.#options.stallMs;
  }

  /** Opens a checkpoint on the current device. */
  open(path: string, options: LoadOptions): Promise<RowClassifier> {
    if (this.#host === undefined) {
      return Promise.reject(new Error(`Cannot open ${path}: there is no device yet`));
    }
    return this.#host.load(path, options);
  }

  /** Starts the device and loads the models; rejects, with everything ended, where a model cannot be loaded. */
  async start(registry: ModelRegistry): Promise<void> {
    this.#registry = registry;
    this.#startHost();
    try {
      await registry.loadMissing();
    } catch (error) {
      this.close();
      throw error;
    }
    if (this.#phase === "starting") this.#phase = "serving";
    this.#timer = setInterval(() => void this.#checkHeartbeat(), this.#options.heartbeatMs);
  }

  /** From now on the server is not ready and does not recover; requests go on. */
  drain(): void {
    this.#phase = "draining";
  }

  /** Ends the worker; calls that run reject. */
  close(): void {
    this.#stopped.abort();
    clearInterval(this.#timer);
    this.#host?.close();
  }

  #startHost(): void {
    const host = this.#options.startHost();
    this.#host = host;
    this.#lost = false;
    void host.lost.then((error) => this.#onLost(error.message));
  }

  #onLost(reason: string): void {
    this.#lost = true;
    this.#options.log.error("device lost", { reason });
    this.#options.onLoss?.();
    this.#registry!.suspend("the device was lost");
    // While starting, start() rejects; while recovering, the loop below sees it.
    if (this.#phase !== "serving") return;
    this.#phase = "recovering";
    void this.#recover();
  }

  async #recover(): Promise<void> {
    const { log, retryMs } = this.#options;
    for (let attempt = 1; !this.#stopped.signal.aborted; attempt++) {
      if (this.#lost) this.#startHost();
      try {
        await this.#registry!.loadMissing();
        if (this.#lost) throw new Error("the new device was lost, too");
        if (this.#phase === "recovering") this.#phase = "serving";
        log.info("device recovered", { attempt });
        return;
      } catch (error) {
        log.error("device not recovered yet", { attempt, error: (error as Error).message });
      }
      const wait = retryMs * 2 ** Math.min(attempt - 1, 6);
      await delay(wait, { signal: this.#stopped.signal }).catch(() => {});
    }
  }

  async #checkHeartbeat(): Promise<void> {
    const host = this.#host!;
    const model = this.#registry!.models[0];
    if (this.#phase !== "serving" || model === undefined || host.quiet < this.#options.heartbeatMs) return;
    try {
      await model.ping();
    } catch (error) {
      const unloaded = !this.#registry!.models.includes(model);
      if (!unloaded) host.kill(`no heartbeat: ${(error as Error).message}`);
    }
  }
}
