/**
 * Checkpoints by the folder of their run: who trained in `runs/mine` need not know what the files in it are called.
 * @module
 */
import { isDirectory, isFile } from "../../engine/files.ts";
import { join } from "@std/path";
import { CheckpointError } from "./files.ts";

/** The file that training keeps its best weights in. */
const BEST = "best.safetensors";

/** What a run whose loss was not finite leaves beside its files: why it ended, in a sentence. */
export const DIVERGED = "diverged.txt";

/** A run that has a best checkpoint. */
export interface FoundRun {
  /** Name of the run's folder. */
  readonly name: string;
  /** The checkpoint. */
  readonly path: string;
}

/** The runs in a folder that have a best checkpoint, newest first; empty where there is no such folder. */
export async function findRuns(folder: string): Promise<FoundRun[]> {
  const found: { run: FoundRun; modified: number }[] = [];
  for (const name of await entryNames(folder)) {
    const path = join(folder, name, BEST);
    const info = await Deno.stat(path).catch(() => null);
    if (info?.isFile) found.push({ run: { name, path }, modified: info.mtime?.getTime() ?? 0 });
  }
  return found.sort((a, b) => b.modified - a.modified).map(({ run }) => run);
}

async function entryNames(folder: string): Promise<string[]> {
  try {
    return (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name).sort();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

/**
 * The checkpoint that a path means: a file itself, a run's folder its best one, a folder of runs that of the newest. Throws a
 * `CheckpointError` that says what to do where a folder has none; what is no folder is left to whoever reads it. `onNote` is told which
 * run was taken of a folder of runs, and which newer ones have no checkpoint yet.
 */
export async function checkpointAt(path: string, onNote: (text: string) => void = () => {}): Promise<string> {
  if (!isDirectory(path)) return path;
  const best = join(path, BEST);
  if (isFile(best)) return best;
  const [newest] = await findRuns(path);
  if (newest !== undefined) {
    onNote(await chosenText(path, newest));
    return newest.path;
  }
  const last = join(path, "last.safetensors"), diverged = isFile(join(path, DIVERGED));
  const advice = diverged
    ? `the run diverged (${join(path, DIVERGED)} says where): train another with a lower --lr` +
      (isFile(last) ? `, or name ${last}` : "")
    : isFile(last)
    ? `the run ended before its first epoch did: go on with \`deno task train --resume ${path}\`, or name ${last}`
    : isFile(join(path, "config.json"))
    ? `nothing was saved of the run: train with \`deno task train --resume ${path}\` first`
    : `name a file, or a run's folder that has one, as \`deno task train\` writes them to runs/`;
  throw new CheckpointError(`Cannot find a checkpoint in ${path}: there is no ${BEST}; ${advice}`);
}

/** Which run of a folder was taken, as a line for people, and which newer ones have no checkpoint yet. */
export async function chosenText(folder: string, { path }: FoundRun): Promise<string> {
  const since = await modified(path) ?? 0;
  const newer: string[] = [];
  for (const name of await entryNames(folder)) {
    const run = join(folder, name);
    const begun = await modified(join(run, "config.json"));
    if (begun !== undefined && begun > since && !isFile(join(run, BEST))) newer.push(run);
  }
  const skipped = newer.length === 0
    ? ""
    : `; newer, but without a ${BEST} so far: ${newer.slice(0, 3).join(", ")}${
      newer.length > 3 ? ", …" : ""
    }`;
  return `Checkpoint ${path}${skipped}`;
}

async function modified(path: string): Promise<number | undefined> {
  return await Deno.stat(path).then(({ mtime }) => mtime?.getTime(), () => undefined);
}
