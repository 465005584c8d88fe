/**
 * Paths as people type them. `deno task` runs a command in the project's folder wherever it was typed, and tells the folder that people are
 * in by INIT_CWD: what they type is meant from there. What this project chooses itself, such as `.cache` and `runs`, stays in the project.
 * @module
 */
import { fromFileUrl, resolve } from "@std/path";

/** Tells where people are. */
export const USER_FOLDER = "INIT_CWD";

/**
 * The folder that people are in, where that is not the one that this program runs in; else undefined. Only in the project's folder can
 * `deno task` have started this program: elsewhere the variable is of another program that started it.
 */
function elsewhere(): string | undefined {
  // A program that may not ask was not started by a task of this project.
  if (Deno.permissions.querySync({ name: "env", variable: USER_FOLDER }).state !== "granted") {
    return undefined;
  }
  const folder = Deno.env.get(USER_FOLDER);
  if (!folder || !import.meta.url.startsWith("file:")) return undefined;
  try {
    const [user, here, project] = [folder, ".", fromFileUrl(new URL("../..", import.meta.url))]
      .map((path) => Deno.realPathSync(path));
    return here === project && user !== here ? folder : undefined;
  } catch {
    return undefined; // it is gone or may not be looked at
  }
}

/** The file that people mean by a path: as it is, or absolute where they are in another folder. `-` and web addresses are none. */
export function userPath(text: string): string {
  const folder = text === "-" || /^https?:\/\//i.test(text) ? undefined : elsewhere();
  return folder === undefined ? text : resolve(folder, text);
}

/** A path of this program's own as people can use it: as it is, or absolute where they are in another folder. */
export function shownPath(path: string): string {
  return elsewhere() === undefined ? path : resolve(path);
}
