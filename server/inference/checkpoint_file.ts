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
  /** Whether somebody chose the name; else it comes from the path. */
  readonly named?: boolean;
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
  const chosen = given ?? name ?? modelNameOf(path);
  if (!isModelName(chosen)) {
    throw new Error(
      `Cannot name a model ${JSON.stringify(chosen)}: expected letters, digits, dots, dashes and underscores`,
    );
  }
  return { name: chosen, path, named: given !== undefined || name !== undefined };
}

/**
 * Throws where two checkpoints would answer by one name that nobody gave to both: a name given twice has two versions, and that has to be
 * meant. Throws too where one file is to be served twice by one name.
 */
export function requireDistinct(sources: readonly ModelSource[]): void {
  for (const [i, source] of sources.entries()) {
    const other = sources.slice(0, i).find(({ name }) => name === source.name);
    if (other === undefined) continue;
    if (sources.slice(0, i).some(({ name, path }) => name === source.name && path === source.path)) {
      throw new Error(`Cannot serve ${source.path} twice as ${source.name}: one is enough`);
    }
    if (source.named && other.named) continue;
    throw new Error(
      `Cannot serve ${other.path} and ${source.path} both as ${source.name}: give each a name, as in ` +
        `--checkpoint NAME=PATH, or both the same one if they are versions of one model`,
    );
  }
}

/** What a checkpoint is called that nobody gave a name: its run, or else its file. */
export function modelNameOf(path: string): string {
  const stem = basename(path).replace(/\.[^.]*$/, "");
  const folder = stem === "best" || stem === "last" ? validName(basename(dirname(path))) : "";
  return folder || validName(stem) || "model";
}

/** The nearest text that can be a model's name; empty where nothing is left. */
export function validName(text: string): string {
  return text.replace(/[^A-Za-z0-9_.-]+/g, "_").replace(/^[^A-Za-z0-9]+/, "").slice(0, 128);
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
