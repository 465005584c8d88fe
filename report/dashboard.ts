/**
 * The report of a run while it is made, for browsers: a thread that serves the page and reads the event log, so that training neither
 * waits for anyone who looks nor notices it.
 * @module
 */
import { UserError } from "../engine/errors.ts";
import type { RunEvent } from "../training/run/events.ts";
import type { Follower } from "./recorder.ts";

/** What the thread is told. */
export type DashboardOrder =
  | { readonly do: "listen"; readonly ports: readonly number[] }
  | { readonly do: "show"; readonly folder: string }
  | { readonly do: "refresh" }
  | { readonly do: "close" };

/** What the thread answers. */
export type DashboardAnswer =
  | { readonly listening: string }
  | { readonly failed: string }
  | { readonly closed: true };

/** Where it listens unless told otherwise; where that is taken, on any free port. */
export const DASHBOARD_PORT = 6007;

/** How long what was told last may take to reach browsers before the program ends. */
const CLOSE_MS = 2000;

/** A page that follows runs. */
export class Dashboard implements Follower {
  #closed = Promise.withResolvers<void>();

  private constructor(
    readonly worker: Worker,
    /** Where browsers find it. */
    readonly url: string,
  ) {
    worker.addEventListener("message", ({ data }) => {
      if ("closed" in (data as DashboardAnswer)) this.#closed.resolve();
    });
  }

  /** Listens on this machine alone, on a port or where none is given on the usual one. Throws a `UserError` where the port is taken. */
  static async start(port?: number): Promise<Dashboard> {
    const url = new URL("./dashboard_worker.ts", import.meta.url);
    const worker = new Worker(url, { type: "module", name: "dashboard" });
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    worker.onmessage = ({ data }: MessageEvent<DashboardAnswer>) => {
      if ("listening" in data) resolve(data.listening);
      if ("failed" in data) reject(new UserError(`Cannot show a dashboard: ${data.failed}`));
    };
    worker.onerror = (event) => {
      event.preventDefault(); // a page that nobody sees must not end a training
      reject(new UserError(`Cannot show a dashboard: its thread failed (${event.message})`));
    };
    order(worker, { do: "listen", ports: port === undefined ? [DASHBOARD_PORT, 0] : [port] });
    try {
      return new Dashboard(worker, await promise);
    } catch (error) {
      worker.terminate();
      throw error;
    }
  }

  /** Has the thread read the log again. */
  add(event: RunEvent, folder: string): void {
    if (event.event === "start") order(this.worker, { do: "show", folder });
    else order(this.worker, { do: "refresh" });
  }

  /** Shows browsers how it ended, and ends. */
  async close(): Promise<void> {
    order(this.worker, { do: "close" });
    const timer = setTimeout(this.#closed.resolve, CLOSE_MS);
    await this.#closed.promise;
    clearTimeout(timer);
    this[Symbol.dispose]();
  }

  /** Ends at once. */
  [Symbol.dispose](): void {
    this.worker.terminate();
  }
}

function order(worker: Worker, message: DashboardOrder): void {
  worker.postMessage(message);
}
