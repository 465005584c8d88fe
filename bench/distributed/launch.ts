/**
 * How the scripts of this folder start ranks.
 * @module
 */
import { join } from "@std/path";

/** Debian's names of the two launchers, and what they need on a small machine. */
export const LAUNCHERS = {
  openmpi: ["mpirun.openmpi", "--oversubscribe", "--bind-to", "none"],
  mpich: ["mpirun.mpich"],
} as const satisfies Readonly<Record<string, readonly string[]>>;

/** One of them. */
export type LauncherName = keyof typeof LAUNCHERS;

/** Deno's arguments for `train`. */
export const TRAIN: readonly string[] = ["run", "-A", join(import.meta.dirname!, "../../train.ts")];

/** What both need to run as root, as in a container. */
export const ENV = { OMPI_ALLOW_RUN_AS_ROOT: "1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: "1" };

/** A single process of Deno; `before` is what starts it, such as `taskset`. */
export function plain(args: readonly string[], before: readonly string[] = []): Deno.Command {
  const [program, ...rest] = [...before, Deno.execPath(), ...args];
  return new Deno.Command(program!, { args: rest, env: ENV, stdout: "piped", stderr: "piped" });
}

/** Ranks of `train`. */
export function launched(name: LauncherName, ranks: number, args: readonly string[]): Deno.ChildProcess {
  const [program, ...own] = LAUNCHERS[name];
  return new Deno.Command(program, {
    args: [...own, "-n", `${ranks}`, Deno.execPath(), ...TRAIN, ...args],
    ...{ env: ENV, stdout: "piped", stderr: "piped" },
  }).spawn();
}
