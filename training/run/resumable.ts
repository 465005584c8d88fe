/**
 * Which run `--resume` means: a run's folder itself, a file in it, or a folder of runs.
 * @module
 */
import { isFile } from "../../engine/files.ts";
import { dirname, join } from "@std/path";
import { UserError } from "../../engine/errors.ts";
import { DIVERGED } from "../../model/checkpoint/runs.ts";

/**
 * The run's folder that a path means: that of a file in it, of a folder of runs the newest that can go on; `onNote` is told where it is not
 * the path itself. Throws a `UserError` that says what the path is and what to do where it means none.
 */
export async function resumableRun(path: string, onNote: (text: string) => void): Promise<string> {
  const info = await Deno.stat(path).catch(() => undefined);
  if (info === undefined) {
    throw new UserError(
      `Cannot resume ${path}: there is no such folder; name one that \`deno task train\` wrote`,
    );
  }
  if (!info.isDirectory) {
    const run = dirname(path);
    if (!isFile(join(run, CONFIG))) {
      throw new UserError(
        `Cannot resume ${path}: it is a file that lies in no run's folder; to start from weights, give --weights ${path}`,
      );
    }
    onNote(`Resuming  ${run}, the run that ${path} is of`);
    return run;
  }
  if (isFile(join(path, CONFIG))) return path;
  const runs = await resumableIn(path);
  if (runs.length > 0) {
    onNote(`Resuming  ${runs[0]}, the newest run in ${path}`);
    return runs[0]!;
  }
  throw new UserError(
    `Cannot resume ${path}: it is no run's folder, which has a ${CONFIG}, nor does it hold a run that can go on; ` +
      "name one that `deno task train` wrote",
  );
}

const CONFIG = "config.json";

/** The runs in a folder that have a state and did not diverge, the last saved first. */
async function resumableIn(folder: string): Promise<string[]> {
  const found: { run: string; saved: number }[] = [];
  for await (const { name } of Deno.readDir(folder)) {
    const run = join(folder, name);
    const state = await Deno.stat(join(run, "last.state.safetensors")).catch(() => undefined);
    if (!state?.isFile || !isFile(join(run, CONFIG)) || isFile(join(run, DIVERGED))) continue;
    found.push({ run, saved: state.mtime?.getTime() ?? 0 });
  }
  return found.sort((a, b) => b.saved - a.saved).map(({ run }) => run);
}
