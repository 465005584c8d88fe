/**
 * What lies at a path. Whatever keeps it from being looked at counts as nothing there.
 * @module
 */

/** Whether there is a file. */
export function isFile(path: string): boolean {
  return look(path)?.isFile ?? false;
}

/** Whether there is a folder. */
export function isDirectory(path: string): boolean {
  return look(path)?.isDirectory ?? false;
}

function look(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.statSync(path);
  } catch {
    return undefined;
  }
}
