/**
 * The engine as one file that a page loads: `browser/mod.ts` and everything that it imports, with a source map beside it.
 * @module
 */
import { fromFileUrl, join } from "@std/path";
import { cachePlace } from "../../data/cache_folder.ts";
import { UserError } from "../../engine/errors.ts";

/** What the file is called, wherever it lies. */
export const ENGINE_MODULE = "alexnet.js";

/** Where it is kept between runs, for `serve`. */
export const ENGINE_PLACE: string = join(cachePlace("browser"), ENGINE_MODULE);

const ROOT = new URL("../../", import.meta.url);

/** What the module is made of. */
const SOURCES = ["browser", "data", "engine", "model", "training", "deno.json", "deno.lock"];

/** Builds it at `path`, in a folder that need not be there; throws a `UserError` where that fails. */
export async function buildEngineModule(
  path: string,
  { sourceMap = true }: {
    /** Whether a source map lies beside it. */
    readonly sourceMap?: boolean;
  } = {},
): Promise<void> {
  const root = (file: string) => fromFileUrl(new URL(file, ROOT));
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["bundle", "--quiet", "--platform", "browser", "--minify"],
      ...(sourceMap ? ["--sourcemap", "linked"] : []),
      ...["--config", root("deno.json"), "--frozen", "--output", path, root("browser/mod.ts")],
    ],
    env: { NO_COLOR: "1" },
  }).output();
  if (code === 0) return;
  const reason = new TextDecoder().decode(stderr).trim().split("\n").find((line) => line.includes("rror"));
  throw new UserError(
    `Cannot build the engine for pages: ${reason ?? `deno bundle ended with code ${code}`}`,
  );
}

/** Whether what was built at `path` is younger than everything that it is made of. */
export async function isCurrent(path: string): Promise<boolean> {
  const built = await modified(path);
  if (built === undefined) return false;
  for (const source of SOURCES) if (await newest(fromFileUrl(new URL(source, ROOT))) > built) return false;
  return true;
}

/** When the newest file of a folder was changed; 0 where there is none: who has not got the sources keeps what was built. */
async function newest(path: string): Promise<number> {
  const info = await Deno.stat(path).catch(() => undefined);
  if (info === undefined) return 0;
  const { isDirectory, mtime } = info;
  let latest = mtime?.getTime() ?? 0;
  if (isDirectory) {
    for await (const { name } of Deno.readDir(path)) {
      latest = Math.max(latest, await newest(join(path, name)));
    }
  }
  return latest;
}

async function modified(path: string): Promise<number | undefined> {
  return await Deno.stat(path).then(({ mtime }) => mtime?.getTime(), () => undefined);
}
