/**
 * Fetches Dawn, a second implementation of WebGPU, into the cache: a package that is too large for a lock file, whose packages every
 * program's first run fetches.
 * @module
 */
import { dirname, join } from "@std/path";
import { UserError } from "../../engine/errors.ts";
import { isFile } from "../../engine/files.ts";
import { DAWN_FOLDER } from "../../engine/implementation.ts";

const PACKAGE = "npm:webgpu@0.6.2";

/** Puts the package where the engine looks for it, unless it is there; throws a `UserError` where it cannot be had, and leaves nothing. */
export async function fetchDawn(folder: string = DAWN_FOLDER): Promise<void> {
  if (isFile(join(folder, "deno.json"))) return;
  const draft = join(dirname(folder), `.${crypto.randomUUID()}.tmp`); // as setup removes them, should this one be killed
  try {
    await Deno.mkdir(draft, { recursive: true });
    const config = { nodeModulesDir: "auto", imports: { webgpu: PACKAGE } };
    await Deno.writeTextFile(join(draft, "deno.json"), JSON.stringify(config));
    const { code, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["install", "--quiet"],
      cwd: draft,
      env: { NO_COLOR: "1" },
      stdout: "null",
      stderr: "piped",
    }).output();
    if (code !== 0) throw new Error(new TextDecoder().decode(stderr).trim().split("\n", 1)[0]);
    await Deno.rename(draft, folder);
  } catch (error) {
    await Deno.remove(draft, { recursive: true }).catch(() => {});
    throw new UserError(`Cannot fetch Dawn: ${(error as Error).message}`);
  }
}
