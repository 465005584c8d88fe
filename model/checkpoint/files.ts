/**
 * Files that are read and written whole, and what can be wrong with them.
 * @module
 */
import { basename, dirname, join } from "@std/path";
import { UserError } from "../../engine/errors.ts";
import { CheckpointError } from "./error.ts";

export { CheckpointError };

/** A file that could not be written; what was there before is intact. */
export class FileWriteError extends UserError {
  /** The class's name. */
  override readonly name = "FileWriteError";
}

/** The bytes of a weights file; throws a `CheckpointError` that names it. */
export async function readWeightsFile(path: string): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return await Deno.readFile(path);
  } catch (error) {
    throw unreadable(path, error);
  }
}

function unreadable(path: string, error: unknown): CheckpointError {
  const reason = error instanceof Deno.errors.NotFound
    ? "there is no such file"
    : error instanceof Deno.errors.IsADirectory
    ? "it is a folder, wanted a file"
    : (error as Error).message;
  return new CheckpointError(`Cannot read ${path}: ${reason}`);
}

/** Throws a `CheckpointError` that names a file which is missing, a folder or may not be read, without reading it. */
export async function requireWeightsFile(path: string): Promise<void> {
  try {
    using file = await Deno.open(path);
    if ((await file.stat()).isDirectory) throw new Deno.errors.IsADirectory();
  } catch (error) {
    throw unreadable(path, error);
  }
}

/**
 * Replaces a file in one step: a temporary file beside it is written, synced and renamed, so that a reader, a crash
 * or a full disk never leaves half a file. Throws a `FileWriteError`, and removes the temporary file then.
 */
export async function writeFileAtomically(path: string, bytes: Uint8Array): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.${crypto.randomUUID()}.tmp`);
  try {
    {
      using file = await Deno.open(temporary, { write: true, createNew: true });
      for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
      await file.sync();
    } // Windows renames only closed files
    await Deno.rename(temporary, path);
  } catch (error) {
    await Deno.remove(temporary).catch(() => {});
    const reason = error instanceof Error ? error.message.replace(/: (open|rename) '.*$/, "") : String(error);
    throw new FileWriteError(`Cannot write ${path}: ${reason}; what was there before is unchanged`);
  }
}
