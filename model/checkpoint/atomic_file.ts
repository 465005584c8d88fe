/** @module */
import { UserError } from "../../engine/errors.ts";
import { basename, dirname, join } from "@std/path";

/** A file that could not be written; what was there before is intact. */
export class FileWriteError extends UserError {
  override readonly name = "FileWriteError";
}

/**
 * Replaces a file in one step: a temporary file beside it is written, synced and renamed, so that a reader, a crash
 * or a full disk never leaves half a file. Throws `FileWriteError`, and removes the temporary file then.
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
