/**
 * The folder of one run: `config.json`, `log.csv`, `last.safetensors`, `best.safetensors`, `last.state.safetensors`.
 * @module
 */
import { join } from "@std/path";
import { UserError } from "../engine/errors.ts";
import { writeFileAtomically } from "../model/checkpoint/files.ts";
import { type Checkpoint, saveCheckpoint } from "../model/checkpoint/checkpoint.ts";
import { type RunOptions, runOptionsSchema } from "./options.ts";

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

  /** Makes the folder (and its parents) and writes the configuration; throws a `UserError` if it holds another run already. */
  static async create(path: string, options: RunOptions): Promise<RunFolder> {
    await Deno.mkdir(path, { recursive: true });
    const folder = new RunFolder(path);
    if (await exists(folder.file("config.json"))) {
      throw new UserError(
        `Cannot start a run in ${path}: it already holds one; go on with --resume ${path} or choose another --out`,
      );
    }
    await folder.#write("config.json", JSON.stringify(options, null, 2) + "\n");
    await folder.#write("log.csv", LOG_COLUMNS.join(",") + "\n");
    return folder;
  }

  /** The folder of a run to be continued, and its options; throws a `UserError` where there is none. */
  static async open(path: string): Promise<{ folder: RunFolder; options: RunOptions }> {
    const folder = new RunFolder(path);
    const config = folder.file("config.json");
    const text = await Deno.readTextFile(config).catch(() => undefined);
    if (text === undefined) throw new UserError(`Cannot resume ${path}: it has no config.json`);
    if (!await exists(folder.file("last.state.safetensors"))) {
      throw new UserError(
        `Cannot resume ${path}: it has no last.state.safetensors, which the end of the first epoch or Ctrl-C writes`,
      );
    }
    const options = runOptionsSchema.safeParse(readJson(text));
    if (!options.success) {
      const { path: key, message } = options.error.issues[0]!;
      throw new UserError(
        `Cannot resume ${path}: ${key.join(".") || "everything"} in config.json is wrong (${message})`,
      );
    }
    return { folder, options: options.data };
  }

  /** Replaces the configuration of a run if it is lengthened. */
  async reconfigure(options: RunOptions): Promise<void> {
    const { steps, epochs } = (await RunFolder.open(this.path)).options;
    if (steps === options.steps && epochs === options.epochs) return;
    await this.#write("config.json", JSON.stringify(options, null, 2) + "\n");
  }

  /** Appends a row to `log.csv`. */
  async log(row: LogRow): Promise<void> {
    const line = LOG_COLUMNS.map((name) => row[name] ?? "").join(",") + "\n";
    await this.#write("log.csv", (await this.#rows()).join("") + line);
  }

  /** Takes out of `log.csv` what came after that many epochs, since it will be done again. */
  async rewindLog(epochs: number): Promise<void> {
    const [header, ...rows] = await this.#rows();
    const kept = rows.filter((row) => Number(row.split(",", 1)[0]) <= epochs);
    await this.#write("log.csv", [header ?? LOG_COLUMNS.join(",") + "\n", ...kept].join(""));
  }

  /** Whole lines; what a crash left of one is not kept. */
  async #rows(): Promise<string[]> {
    const text = await Deno.readTextFile(this.file("log.csv")).catch(() => LOG_COLUMNS.join(",") + "\n");
    return text.match(/.*\n/g) ?? [];
  }

  async #write(name: string, text: string): Promise<void> {
    await writeFileAtomically(this.file(name), new TextEncoder().encode(text));
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

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

/** What a text of JSON says; undefined where it is none. */
export function readJson(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? "null");
  } catch {
    return undefined;
  }
}

/** A folder name under `runs/` that does not exist yet: data, model and the time. */
export function newRunPath(data: string, model: string, now = new Date()): string {
  const time = now.toISOString().slice(0, 19).replaceAll(":", "").replace("T", "-");
  return join("runs", `${data}-${model}-${time}`);
}
