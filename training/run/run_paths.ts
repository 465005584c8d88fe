/**
 * What a run needs and does not hold: photos, weights, the cache. Each is recorded where it lies and as seen from the run's folder, so that
 * a run goes on wherever the program is started, and also where the run and what it needs were moved together.
 * @module
 */
import { isAbsolute, join, relative, resolve } from "@std/path";
import { z } from "zod";
import { UserError } from "../../engine/errors.ts";

/** A path outside of a run's folder. */
export interface RunPath {
  /** Absolute. */
  readonly path: string;
  /** The same from the run's folder, with `/`. */
  readonly fromRun: string;
}

/** Those of a run; what it does not use is absent. */
export interface RunPaths {
  /** The folder of photos, that of the drawn shapes included. */
  readonly data: RunPath;
  /** The file of weights to start from. */
  readonly weights?: RunPath | undefined;
  /** The teacher's checkpoint, with what its file's SHA-256 was, in hex. */
  readonly distill?: RunPath & { readonly sha256: string } | undefined;
  /** The folder of decoded photos. */
  readonly cache: RunPath;
}

const pathSchema = z.object({ path: z.string(), fromRun: z.string() });

/** Reads `RunPaths`. */
export const runPathsSchema: z.ZodType<RunPaths> = z.object({
  data: pathSchema,
  weights: pathSchema.optional(),
  distill: pathSchema.extend({ sha256: z.string() }).optional(),
  cache: pathSchema,
});

/** The record of a path for the run in `run`; both as people give them, so from the working directory. */
export function recordPath(run: string, path: string): RunPath {
  const absolute = resolve(path);
  return { path: absolute, fromRun: relative(resolve(run), absolute).replaceAll("\\", "/") };
}

/** A version that recorded no paths had only what was typed: it was meant from the folder that holds `runs`. */
export function typedPath(path: string): RunPath {
  return { path, fromRun: isAbsolute(path) ? path : `../../${path}` };
}

/** Where it lies now: there, or else beside the run as before; undefined where it is in neither place. */
export async function findPath(run: string, { path, fromRun }: RunPath): Promise<string | undefined> {
  for (const place of [path, beside(run, fromRun)]) {
    if (await Deno.stat(place).then(() => true, () => false)) return place;
  }
  return undefined;
}

/** As `findPath`; throws a `UserError` that names `what` where it is gone. */
export async function requirePath(run: string, recorded: RunPath, what: string): Promise<string> {
  const found = await findPath(run, recorded);
  if (found !== undefined) return found;
  const places = new Set([recorded.path, beside(run, recorded.fromRun)]);
  throw new UserError(`Cannot resume ${run}: its ${what} is not at ${[...places].join(" nor at ")}`);
}

/** Another drive's path is absolute from everywhere. */
function beside(run: string, fromRun: string): string {
  return isAbsolute(fromRun) ? fromRun : join(run, fromRun);
}
