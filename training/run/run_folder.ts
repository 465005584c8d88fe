/**
 * The folder of one run: `config.json`, `photos.json`, `log.csv`, `last.safetensors`, `best.safetensors`, `last.state.safetensors`,
 * `label_issues.json` once it is done, `soft_labels.csv` where it was given one, `diverged.txt` where its loss was not finite, and `run.lock`, which is locked while a program works there.
 * @module
 */
import { isFile } from "../../engine/files.ts";
import { join } from "@std/path";
import { z } from "zod";
import type { SuspectLabels } from "../../data/inspection/label_issues.ts";
import { UserError } from "../../engine/errors.ts";
import { DIVERGED } from "../../model/checkpoint/runs.ts";
import { writeFileAtomically } from "../../model/checkpoint/files.ts";
import { type Checkpoint, saveCheckpoint } from "../../model/checkpoint/checkpoint.ts";
import { count } from "../../engine/text.ts";
import { type RunOptions, runOptionsSchema } from "../options/options.ts";
import { decodePhotoList, encodePhotoList, type PhotoList, readJson } from "../photos/photo_list.ts";
import { type RunPaths, runPathsSchema } from "./run_paths.ts";
import type { SettledOptions } from "../options/settle.ts";
import { SOFT_LABELS_FILE } from "./soft_targets.ts";

/** Which validation photos' labels are likely wrong, as JSON (`SuspectLabels`). */
export const LABEL_ISSUES = "label_issues.json";

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

/** Further columns of a run whose targets are soft: means over the epoch's training photos, in nats. */
export const SOFT_COLUMNS = ["target_cross_entropy", "target_divergence", "target_entropy"] as const;

/** One row of `log.csv`; what is unknown stays empty. */
export type LogRow =
  & Readonly<Record<typeof LOG_COLUMNS[number], number | undefined>>
  & Readonly<Partial<Record<typeof SOFT_COLUMNS[number], number | undefined>>>;

/** What `config.json` holds beside the options. */
const extrasSchema = z.object({ paths: runPathsSchema.optional() });

/** Writes a run's files. */
export class RunFolder {
  private constructor(readonly path: string, readonly writes: boolean = true) {}

  /** The folder of a run that another process writes: this one writes nothing there and reads nothing. */
  static ofAnother(path: string): RunFolder {
    return new RunFolder(path, false);
  }

  /**
   * Makes the folder (and its parents) and writes the configuration: the options with what the run chose, and where its photos lie. Throws a `UserError` if it holds another run already. A run that
   * ended before anything was saved is no run: its folder is taken over.
   */
  static async create(path: string, options: SettledOptions, paths: RunPaths): Promise<RunFolder> {
    await RunFolder.requireFree(path);
    await makeFolder(path);
    const folder = new RunFolder(path);
    await folder.#configure({ ...options, paths });
    await folder.noteDivergence(undefined);
    await folder.#write("log.csv", headerOf(options) + "\n");
    return folder;
  }

  /** Throws a `UserError` where a folder holds a run of which something was saved. */
  static async requireFree(path: string): Promise<void> {
    const folder = new RunFolder(path);
    const info = await Deno.stat(path).catch(() => undefined);
    if (info && !info.isDirectory) {
      throw new UserError(
        `Cannot start a run in ${path}: it is a file, wanted a folder or a name that is free`,
      );
    }
    const saved = ["last.state.safetensors", "last.safetensors"].map((name) => isFile(folder.file(name)));
    if (isFile(folder.file("config.json")) && saved.includes(true)) {
      throw new UserError(
        `Cannot start a run in ${path}: it already holds one; go on with --resume ${path} or choose another --out`,
      );
    }
  }

  /**
   * The folder of a run to be continued, its options, where its photos lie (absent: an older version recorded none), and whether it has a
   * state to go on from: one that ended before its first was saved begins anew. Throws a `UserError` where there is no run, or one that has lost its state.
   */
  static async open(
    path: string,
  ): Promise<{ folder: RunFolder; options: RunOptions; paths: RunPaths | undefined; begun: boolean }> {
    const folder = new RunFolder(path);
    const text = await Deno.readTextFile(folder.file("config.json")).catch(() => undefined);
    if (text === undefined) throw new UserError(`Cannot resume ${path}: it has no config.json`);
    const begun = isFile(folder.file("last.state.safetensors"));
    if (!begun && isFile(folder.file("last.safetensors"))) {
      throw new UserError(
        `Cannot resume ${path}: it has no last.state.safetensors, which is written with every last.safetensors`,
      );
    }
    const config = readJson(text);
    const options = runOptionsSchema.safeParse(config);
    const extras = extrasSchema.safeParse(config);
    if (!options.success || !extras.success) {
      const { path: key, message } = (options.error ?? extras.error)!.issues[0]!;
      throw new UserError(
        `Cannot resume ${path}: ${key.join(".") || "everything"} in config.json is wrong (${message})`,
      );
    }
    return { folder, options: options.data, paths: extras.data.paths, begun };
  }

  /**
   * Replaces the length of a run in its configuration. Throws a `UserError`, and leaves it as it is, where the run has done more steps
   * (`done`) than the new length has (`wanted`). Resolves with the length it had, or undefined where it stays.
   */
  async lengthen(
    { steps, epochs }: Pick<SettledOptions, "steps" | "epochs">,
    done: number,
    wanted: number,
  ): Promise<Pick<RunOptions, "steps" | "epochs"> | undefined> {
    if (!this.writes) return undefined;
    const { options, paths } = await RunFolder.open(this.path);
    if (steps === options.steps && (steps !== undefined || epochs === options.epochs)) return undefined;
    if (wanted < done) {
      throw new UserError(
        `Cannot resume ${this.path} with ${
          steps === undefined ? count(epochs, "epoch") : count(steps, "step")
        }: ` +
          `it has done ${
            count(done, "step")
          }, which is more than ${wanted}; a run can be lengthened, not shortened`,
      );
    }
    await this.#configure({ ...options, steps, epochs, paths });
    return { steps: options.steps, epochs: options.epochs };
  }

  /** Keeps which validation photos' labels are likely wrong. */
  async writeLabelIssues(suspects: SuspectLabels): Promise<void> {
    await this.#write(LABEL_ISSUES, JSON.stringify(suspects, null, 2) + "\n");
  }

  /** Keeps the list of the run's photos. */
  async writePhotos(list: PhotoList): Promise<void> {
    await this.#write("photos.json", encodePhotoList(list));
  }

  /** The list of the run's photos; undefined where an older version wrote none. Throws a `UserError` where it cannot be read. */
  async readPhotos(): Promise<PhotoList | undefined> {
    const text = await Deno.readTextFile(this.file("photos.json")).catch(() => undefined);
    if (text === undefined) return undefined;
    const list = decodePhotoList(text);
    if (list === undefined) {
      throw new UserError(`Cannot resume ${this.path}: photos.json is no list of photos`);
    }
    return list;
  }

  /** Keeps a copy of the run's table of soft labels. */
  async writeSoftLabels(text: string): Promise<void> {
    await this.#write(SOFT_LABELS_FILE, text);
  }

  /** Appends a row to `log.csv`. */
  async log(row: LogRow): Promise<void> {
    if (!this.writes) return;
    const rows = await this.#rows(), columns = rows[0]!.trim().split(",") as (keyof LogRow)[];
    const line = columns.map((name) => row[name] ?? "").join(",") + "\n";
    await this.#write("log.csv", rows.join("") + line);
  }

  /** Takes out of `log.csv` what came after that many epochs, since it will be done again. */
  async rewindLog(epochs: number): Promise<void> {
    const [header, ...rows] = await this.#rows();
    const kept = rows.filter((row) => Number(row.split(",", 1)[0]) <= epochs);
    await this.#write("log.csv", [header!, ...kept].join(""));
  }

  /** Whole lines; what a crash left of one is not kept. */
  async #rows(): Promise<string[]> {
    const text = await Deno.readTextFile(this.file("log.csv")).catch(() => "");
    return text.match(/.*\n/g) ?? [headerOf((await RunFolder.open(this.path)).options) + "\n"];
  }

  async #configure(config: RunOptions & { paths: RunPaths | undefined }): Promise<void> {
    await this.#write("config.json", JSON.stringify(config, null, 2) + "\n");
  }

  async #write(name: string, text: string): Promise<void> {
    if (this.writes) await writeFileAtomically(this.file(name), new TextEncoder().encode(text));
  }

  /** Records that the run diverged, and how, for whoever looks for its weights; undefined: it did not, or is about to try again. */
  async noteDivergence(message: string | undefined): Promise<void> {
    if (message !== undefined) await this.#write(DIVERGED, `${message}\n`);
    else if (this.writes) await Deno.remove(this.file(DIVERGED)).catch(() => {});
  }

  /** Whether it diverged when it was last trained. */
  get diverged(): boolean {
    return isFile(this.file(DIVERGED));
  }

  /** Path of a file in the folder. */
  file(name: string): string {
    return join(this.path, name);
  }

  /** Replaces `last.safetensors`, `best.safetensors` or an epoch's file in one step. */
  async save(name: "last" | "best" | `epoch-${number}`, checkpoint: Checkpoint): Promise<string> {
    const path = this.file(`${name}.safetensors`);
    if (this.writes) await saveCheckpoint(path, checkpoint);
    return path;
  }

  /** Removes the files of all epochs but these. */
  async keepEpochs(epochs: readonly number[]): Promise<void> {
    if (!this.writes) return;
    for await (const { name } of Deno.readDir(this.path)) {
      const epoch = /^epoch-(\d+)\.safetensors$/.exec(name)?.[1];
      if (epoch !== undefined && !epochs.includes(Number(epoch))) await Deno.remove(this.file(name));
    }
  }
}

/** The first line of `log.csv`. */
function headerOf({ softLabels, distill }: Pick<RunOptions, "softLabels" | "distill">): string {
  const soft = softLabels !== undefined || distill !== undefined;
  // The rate stays last: all before it is the same whenever a run is made again.
  return [...LOG_COLUMNS.slice(0, -1), ...soft ? SOFT_COLUMNS : [], LOG_COLUMNS.at(-1)].join(",");
}

/**
 * Makes a run's folder this program's own until it is disposed of, or the program ends, however it does: the system itself frees the
 * lock of a dead process. Throws a `UserError` where another program, or this one, works in it.
 */
export async function lockRun(path: string): Promise<Disposable> {
  await makeFolder(path);
  const file = await inFolder(path, () => Deno.open(join(path, "run.lock"), { create: true, write: true }));
  // A file system without locks has none to respect.
  const free = await file.tryLock(true).catch(() => true);
  if (free) return file;
  file.close();
  throw new UserError(
    `Cannot work in ${path}: another program trains there now; wait for it or end it, or choose another --out`,
  );
}

function makeFolder(path: string): Promise<void> {
  return inFolder(path, () => Deno.mkdir(path, { recursive: true }));
}

/** Does what needs a folder that can be written; throws a `UserError` where it cannot. */
async function inFolder<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const reason = error instanceof Deno.errors.AlreadyExists || error instanceof Deno.errors.NotADirectory
      ? "a part of that path is a file"
      : error instanceof Deno.errors.PermissionDenied || error instanceof Deno.errors.NotCapable
      ? "it may not be written there"
      : error instanceof Deno.errors.NotFound
      ? "no folder can be made there"
      : (error as Error).message.replace(/: (open|mkdir) '.*$/s, "");
    throw new UserError(`Cannot make the run's folder ${path}: ${reason}; choose another --out`);
  }
}

/** A folder name under `runs/` that does not exist yet: data, model and the time. */
export function newRunPath(data: string, model: string, now = new Date()): string {
  const time = now.toISOString().slice(0, 19).replaceAll(":", "").replace("T", "-");
  return join("runs", `${data}-${model}-${time}`);
}
