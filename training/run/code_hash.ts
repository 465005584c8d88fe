/**
 * Which code runs, in a few digits.
 * @module
 */
import { join } from "@std/path";

/** Rooms whose code decides a run's bits. */
const ROOMS = ["engine", "data", "model", "training", "distributed"];

/** Twelve hexadecimal digits of a text's SHA-256. */
export async function shortHash(text: string): Promise<string> {
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return new Uint8Array(hash).toHex().slice(0, 12);
}

/** `shortHash` of all files of this program that a run is computed with. */
export async function codeHash(): Promise<string> {
  const root = join(import.meta.dirname!, "..", "..");
  const texts = ROOMS.flatMap((room) => filesIn(join(root, room))).sort()
    .map((path) => `${path.slice(root.length)}\n${Deno.readTextFileSync(path)}`);
  return await shortHash(texts.join("\n"));
}

function filesIn(folder: string): string[] {
  return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) => {
    const path = join(folder, name);
    return isDirectory ? filesIn(path) : /\.(ts|wgsl)$/.test(name) ? [path] : [];
  });
}
