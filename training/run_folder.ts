/**
 * The folder of one run: `config.json`, `log.csv`, `last.safetensors`, `best.safetensors`.
 * @module
 */
import { join } from "@std/path";
import { type Checkpoint, saveCheckpoint } from "../model/checkpoint.ts";

/** Columns of `log.csv`, one row an epoch. */
export const LOG_COLUMNS = [
  "epoch",
  "step",
  "lr",
  "train_loss",
  "train_accuracy",
  "valid_loss",
  "valid_accuracy",
  "images_per_second",
] as const;

/** One row of `log.csv`; what is unknown stays empty. */
export type LogRow = Readonly<Record<typeof LOG_COLUMNS[number], number | undefined>>;

/** Writes a run's files. */
export class RunFolder {
  private constructor(readonly path: string) {}

  /** Makes the folder (and its parents) and writes the configuration; throws if it holds another run already. */
  static async create(path: string, config: unknown): Promise<RunFolder> {
    await Deno.mkdir(path, { recursive: true });
    const folder = new RunFolder(path);
    try {
      const text = JSON.stringify(config, null, 2) + "\n";
      await Deno.writeTextFile(join(path, "config.json"), text, { createNew: true });
    } catch (error) {
      if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
      throw new RangeError(`Cannot start a run in ${path}: it already holds one; choose another --out`);
    }
    await Deno.writeTextFile(join(path, "log.csv"), LOG_COLUMNS.join(",") + "\n");
    return folder;
  }

  /** The folder of a run to be continued. */
  static open(path: string): RunFolder {
    return new RunFolder(path);
  }

  /** Appends a row to `log.csv`. */
  async log(row: LogRow): Promise<void> {
    const line = LOG_COLUMNS.map((name) => row[name] ?? "").join(",") + "\n";
    await Deno.writeTextFile(join(this.path, "log.csv"), line, { append: true });
  }

  /** Path of a file in the folder. */
  file(name: string): string {
    return join(this.path, name);
  }

  /** Replaces `last.safetensors` or `best.safetensors` in one step. */
  async save(name: "last" | "best", checkpoint: Checkpoint): Promise<string> {
    const path = this.file(`${name}.safetensors`);
    await saveCheckpoint(path, checkpoint);
    return path;
  }
}

/** A folder name under `runs/` that does not exist yet: data, model and the time. */
export function newRunPath(data: string, model: string, now = new Date()): string {
  const time = now.toISOString().slice(0, 19).replaceAll(":", "").replace("T", "-");
  return join("runs", `${data}-${model}-${time}`);
}
