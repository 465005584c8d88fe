/**
 * Folders that are filled beside the place that they are for, and moved there when they are whole. Whoever fills one holds a lock in it,
 * which the system frees when the program ends, however it does: so what a killed program has left is known at once.
 * @module
 */
import { join } from "@std/path";

/** The file in a draft that its writer has locked. */
const LOCK = "draft.lock";

/** Where no lock tells, a draft that nothing was added to for so long was left by a program that was killed. */
export const ABANDONED_MS = 3_600_000;

/** A folder to fill, this program's until it is disposed of, which removes it. */
export interface Draft extends AsyncDisposable {
  /** The folder. */
  readonly path: string;
}

/** Makes a draft in `parent` whose name begins with `prefix`, and removes those there that ended programs have left. */
export async function makeDraft(parent: string, prefix: string): Promise<Draft> {
  for await (const { name } of Deno.readDir(parent)) {
    const path = join(parent, name);
    if (!name.startsWith(prefix) || await draftState(path) !== "left") continue;
    await Deno.remove(path, { recursive: true }).catch(() => {});
  }
  const path = await Deno.makeTempDir({ dir: parent, prefix });
  let lock: Deno.FsFile;
  try {
    lock = await Deno.open(join(path, LOCK), { create: true, write: true });
  } catch (error) {
    await Deno.remove(path, { recursive: true }).catch(() => {});
    throw error;
  }
  await lock.lock(true).catch(() => {}); // a file system without locks leaves it to the time
  return {
    path,
    async [Symbol.asyncDispose]() {
      lock.close();
      await Deno.remove(path, { recursive: true });
    },
  };
}

/** Whether a program writes a draft, has left it, or neither can be known: an older version made it, or the file system has no locks. */
export async function draftState(path: string): Promise<"written" | "left" | "unknown"> {
  try {
    using file = await Deno.open(join(path, LOCK), { read: true, write: true });
    return await file.tryLock(true) ? "left" : "written";
  } catch {
    return "unknown";
  }
}
