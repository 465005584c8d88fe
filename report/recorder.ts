/**
 * Keeps what runs tell: in the event log of each run's folder, and wherever else it is wanted.
 * @module
 */
import { join } from "@std/path";
import { readJson } from "../training/photos/photo_list.ts";
import type { RunEvent } from "../training/run/events.ts";
import { EventLogWriter } from "./event_log.ts";

/** Is told what happens in runs, from the start of each, and may have something to close. */
export interface Follower extends Disposable {
  /** Called with each event, once it is in the log of the run's folder. */
  add(event: RunEvent, folder: string): void;
}

/** How runs are recorded. */
export interface RecorderOptions {
  /** Arguments of the command that trains, for the log. */
  readonly command?: readonly string[];
  /** Who else is told. */
  readonly followers?: readonly Follower[];
}

/** Writes event logs. Of several runs, one after the other, each has its own. */
export class Recorder implements Disposable {
  /** Folders of the runs that have started, in their order. */
  readonly folders: string[] = [];
  readonly #options: RecorderOptions;
  #log: EventLogWriter | undefined;
  /** What was told before the folder was there. */
  #waiting: RunEvent[] = [];

  constructor(options: RecorderOptions = {}) {
    this.#options = options;
  }

  /** Records an event, as a `Reporter` is told it. */
  add(event: RunEvent): void {
    if (event.event === "start") this.#open(event.out);
    if (!this.#log) {
      if (event.event === "note") this.#waiting.push(event);
      return;
    }
    const folder = this.folders.at(-1)!;
    // Notes from before the start follow it, so that they count as this start's.
    const events = event.event === "start" ? [event, ...this.#waiting.splice(0)] : [event];
    for (const told of events) {
      this.#log.add(told, told.event === "start" ? this.#extras(folder) : undefined);
      for (const follower of this.#options.followers ?? []) follower.add(told, folder);
    }
    if (event.event === "end") this.#close();
  }

  #open(folder: string): void {
    this.#close();
    this.#log = new EventLogWriter(folder);
    if (!this.folders.includes(folder)) this.folders.push(folder);
  }

  #extras(folder: string) {
    const { command } = this.#options;
    const text = Deno.readTextFileSync(join(folder, "config.json"));
    const { paths: _, ...options } = readJson(text) as Record<string, unknown>;
    return { ...command && { command }, deno: Deno.version.deno, options };
  }

  #close(): void {
    this.#log?.[Symbol.dispose]();
    this.#log = undefined;
  }

  /** Closes the log and whoever else was told. */
  [Symbol.dispose](): void {
    this.#close();
    for (const follower of this.#options.followers ?? []) follower[Symbol.dispose]();
  }
}
