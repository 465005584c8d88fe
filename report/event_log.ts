/**
 * The event log of a run, `events.jsonl` in its folder: what was told while it went on, one JSON object a line, so that curves, reports and
 * dashboards can be made of it at any time. docs/reports.md says what each line holds.
 *
 * Lines are only ever added. What a run that goes on does again is left out when the log is read, as is a line that a crash cut off.
 * @module
 */
import { join } from "@std/path";
import { z } from "zod";
import { UserError } from "../engine/errors.ts";
import { partsSchema } from "../training/step/loss_sums.ts";
import type { RunEvent } from "../training/run/events.ts";

/** The log's name in a run's folder. */
export const EVENT_LOG = "events.jsonl";

/** The version of what its lines hold; readers leave out lines of a later one. */
export const EVENT_LOG_VERSION = 1;

/** What JSON has no number for is null there. */
const real = z.number().nullable().transform((value) => value ?? NaN);
const natural = z.int().nonnegative();
const time = z.iso.datetime();

const evaluationSchema = z.object({
  n: natural,
  accuracy: real,
  balancedAccuracy: real,
  loss: real,
  perClass: z.array(z.object({
    class: z.string(),
    n: natural,
    recall: z.number().nullable(),
    precision: z.number().nullable(),
  })),
  confusion: z.array(z.array(natural)),
});

const startSchema = z.object({
  event: z.literal("start"),
  time,
  /** Arguments of the command that began it or went on with it; absent where a program did. */
  command: z.array(z.string()).optional(),
  deno: z.string().optional(),
  options: z.record(z.string(), z.unknown()),
  adapter: z.string(),
  model: z.string(),
  parameters: natural,
  data: z.string(),
  split: z.string(),
  classes: z.array(z.string()),
  images: z.object({ train: natural, valid: natural, test: natural }),
  epochs: natural,
  steps: natural,
  out: z.string(),
});

const stepSchema = z.object({
  event: z.literal("step"),
  time,
  epoch: natural,
  step: natural,
  steps: natural,
  loss: real,
  accuracy: real,
  lr: z.number(),
  imagesPerSecond: z.number().nullable(),
  secondsLeft: z.number().nullable(),
  /** How far predictions are from soft targets, where there are any. */
  targets: partsSchema.optional(),
  deviceBytes: natural,
});

const epochSchema = z.object({
  event: z.literal("epoch"),
  time,
  epoch: natural,
  step: natural,
  trainLoss: real,
  trainAccuracy: real,
  valid: evaluationSchema.optional(),
  targets: partsSchema.optional(),
  best: z.boolean(),
  imagesPerSecond: z.number().nullable(),
});

const endSchema = z.object({
  event: z.literal("end"),
  time,
  stopped: z.boolean(),
  epoch: natural,
  step: natural,
  steps: natural,
  seconds: z.number(),
  split: z.enum(["test", "valid", "none"]),
  result: evaluationSchema.optional(),
  trainedBefore: natural,
});

const lineSchema = z.discriminatedUnion("event", [
  startSchema,
  z.object({ event: z.literal("resumed"), time, step: natural }),
  stepSchema,
  epochSchema,
  endSchema,
  z.object({ event: z.literal("note"), time, text: z.string() }),
]);

/** How a run began, or went on. */
export type LoggedStart = z.infer<typeof startSchema>;
/** A reading of a run's metrics. */
export type LoggedStep = z.infer<typeof stepSchema>;
/** An epoch's end. */
export type LoggedEpoch = z.infer<typeof epochSchema>;
/** A run's end, for good or until it goes on. */
export type LoggedEnd = z.infer<typeof endSchema>;

/** What a log says, without what was done again. */
export interface RunLog {
  /** Its start and every time that it went on, the first one first. */
  readonly starts: readonly LoggedStart[];
  /** Readings, by step. */
  readonly steps: readonly LoggedStep[];
  /** Epochs, by number. */
  readonly epochs: readonly LoggedEpoch[];
  /** What was told beside, since it last started. */
  readonly notes: readonly string[];
  /** How it ended; absent while it goes on, and where it was killed. */
  readonly end: LoggedEnd | undefined;
  /** Seconds of every part of the run that came to an end. */
  readonly seconds: number;
}

/** What the lines of a log say; those that are cut off, of a later version or of none are left out. */
export function readLog(text: string): RunLog {
  let starts: LoggedStart[] = [], fresh = false;
  let steps: LoggedStep[] = [], epochs: LoggedEpoch[] = [], notes: string[] = [];
  let end: LoggedEnd | undefined, seconds = 0;
  /** Takes out what came at a step or later: it is told again. */
  const rewind = (step: number) => {
    if ((steps.at(-1)?.step ?? 0) >= step) steps = steps.filter((s) => s.step < step);
  };
  for (const line of text.split("\n")) {
    const event = readLine(line);
    if (fresh && event !== undefined && event.event !== "start" && event.event !== "note") {
      fresh = false;
      // A run that saved nothing began anew in the same folder: what it told before is of no run.
      if (event.event !== "resumed") [starts, steps, epochs, seconds] = [starts.slice(-1), [], [], 0];
    }
    switch (event?.event) {
      case "start":
        starts.push(event);
        notes = [];
        end = undefined;
        fresh = true;
        break;
      case "resumed":
        steps = steps.filter(({ step }) => step <= event.step);
        epochs = epochs.filter(({ step }) => step <= event.step);
        break;
      case "step":
        rewind(event.step);
        steps.push(event);
        break;
      case "epoch":
        epochs = epochs.filter(({ epoch }) => epoch < event.epoch);
        epochs.push(event);
        break;
      case "note":
        notes.push(event.text);
        break;
      case "end":
        end = event;
        seconds += event.seconds;
    }
  }
  return { starts, steps, epochs, notes, end, seconds };
}

function readLine(line: string): z.infer<typeof lineSchema> | undefined {
  if (line === "") return undefined;
  try {
    const value = JSON.parse(line);
    return value?.v <= EVENT_LOG_VERSION ? lineSchema.safeParse(value).data : undefined;
  } catch {
    return undefined; // cut off
  }
}

/** The log of a run's folder; undefined where it has none. */
export async function readRunLog(folder: string): Promise<RunLog | undefined> {
  const text = await Deno.readTextFile(join(folder, EVENT_LOG)).catch(() => undefined);
  return text === undefined ? undefined : readLog(text);
}

/** What the log says of a run beside its `start` event. */
export interface StartExtras {
  /** Arguments of the command. */
  readonly command?: readonly string[] | undefined;
  /** The settled options. */
  readonly options: Readonly<Record<string, unknown>>;
}

/** Adds lines to the log of a run. Each is written at once: a run that is killed leaves what it had told. */
export class EventLogWriter implements Disposable {
  readonly #file: Deno.FsFile;
  /** The log's own file. */
  readonly path: string;

  /** Opens the log in a run's folder, or begins it; a line that a crash cut off is ended. */
  constructor(folder: string, readonly now: () => Date = () => new Date()) {
    const path = this.path = join(folder, EVENT_LOG);
    const broken = !endsLine(path);
    this.#file = Deno.openSync(path, { append: true, create: true });
    if (broken) this.#write("\n");
  }

  /** Adds what happened; a thing's progress is left out. */
  add(event: RunEvent, extras?: StartExtras): void {
    if (event.event === "progress") return;
    const { event: name, ...rest } = event;
    const time = this.now().toISOString();
    this.#write(`${JSON.stringify({ v: EVENT_LOG_VERSION, event: name, time, ...rest, ...extras })}\n`);
  }

  #write(text: string): void {
    const bytes = new TextEncoder().encode(text);
    try {
      for (let at = 0; at < bytes.length;) at += this.#file.writeSync(bytes.subarray(at));
    } catch (error) {
      throw new UserError(`Cannot write ${this.path}: ${(error as Error).message}`);
    }
  }

  /** Closes the file. */
  [Symbol.dispose](): void {
    this.#file.close();
  }
}

/** Whether a file is missing, empty, or ends with the end of a line. */
function endsLine(path: string): boolean {
  try {
    using file = Deno.openSync(path);
    const { size } = file.statSync();
    if (size === 0) return true;
    file.seekSync(size - 1, Deno.SeekMode.Start);
    const last = new Uint8Array(1);
    file.readSync(last);
    return last[0] === 10;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return true;
    throw error;
  }
}
