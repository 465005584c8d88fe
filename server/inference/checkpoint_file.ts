/**
 * Checkpoints as files: what they are called, and when they changed.
 * @module
 */
import { createHash } from "node:crypto";
import { basename, dirname } from "@std/path";

/** A checkpoint to serve. */
export interface ModelSource {
  readonly name: string;
  readonly path: string;
}

const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/;

/** Whether a text can be a model's name: it becomes part of addresses and paths. */
export function isModelName(text: string): boolean {
  return NAME.test(text);
}

/** Reads `NAME=PATH` or `PATH`; without a name the run's folder or the file gives it. Throws on a bad name. */
export function parseSource(text: string, name?: string): ModelSource {
  const [, given, rest] = /^([^/=]+)=(.+)$/s.exec(text) ?? [];
  const path = rest ?? text;
  const chosen = given ?? name ?? nameOf(path);
  if (!isModelName(chosen)) {
    throw new Error(
      `Cannot name a model ${JSON.stringify(chosen)}: expected letters, digits, dots, dashes and underscores`,
    );
  }
  return { name: chosen, path };
}

function nameOf(path: string): string {
  const stem = basename(path).replace(/\.[^.]*$/, "");
  const folder = basename(dirname(path));
  const name = (stem === "best" || stem === "last") && isModelName(folder) ? folder : stem;
  return name.replace(/[^A-Za-z0-9_.-]+/g, "_").replace(/^[^A-Za-z0-9]+/, "") || "model";
}

/** The text with the file's name in place of its path, which clients need not know. */
export function withoutFolder(text: string, path: string): string {
  return text.replaceAll(path, basename(path));
}

/** Twelve hexadecimal digits that stand for the file's content; rejects where it cannot be read. */
export async function contentVersion(path: string): Promise<string> {
  const hash = createHash("sha256");
  let file: Deno.FsFile;
  try {
    file = await Deno.open(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) {
      throw new Error(`Cannot open the checkpoint ${path}: there is no such file`);
    }
    throw new Error(`Cannot open the checkpoint ${path}: ${(error as Error).message}`);
  }
  // Piece by piece, so that a large file neither fills the memory nor holds up requests.
  for await (const piece of file.readable) hash.update(piece);
  return hash.digest("hex").slice(0, 12);
}

/** A text that differs after the file was replaced or rewritten; `undefined` while there is none. */
export async function fileStamp(path: string): Promise<string | undefined> {
  const info = await Deno.stat(path).catch(() => null);
  return info === null ? undefined : `${info.dev}:${info.ino}:${info.size}:${info.mtime?.getTime()}`;
}
