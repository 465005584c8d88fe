/**
 * The file of an adapter's results: each bench keeps a section of its own, and what people write beside them stays.
 * @module
 */
import { dirname, fromFileUrl, join } from "@std/path";
import { writeFileAtomically } from "../model/checkpoint/files.ts";

/** File name of an adapter's results, such as `llvmpipe-llvm-15.0.6-256-bits.md`. */
export function resultFile(adapter: string): string {
  const name = adapter.toLowerCase().replace(/[^a-z0-9.]+/g, "-").replace(/^[-.]+|[-.]+$/g, "");
  return `${name || "unknown"}.md`;
}

/** The text with a section's lines in place of its old ones, or after everything else where it is new. */
export function withSection(text: string, section: string, lines: readonly string[]): string {
  const begin = `<!-- ${section} -->`, end = `<!-- end of ${section} -->`;
  const inside = `${begin}\n\n${lines.join("\n")}\n\n${end}`;
  const from = text.indexOf(begin), to = text.indexOf(end);
  if (from === -1 || to < from) return `${text.trimEnd()}\n\n${inside}\n`;
  return text.slice(0, from) + inside + text.slice(to + end.length);
}

/** Writes a section of the adapter's file in `bench/results/` and returns the file's path. */
export async function saveSection(
  adapter: string,
  section: string,
  lines: readonly string[],
): Promise<string> {
  const path = join(dirname(fromFileUrl(import.meta.url)), "results", resultFile(adapter));
  const old = await Deno.readTextFile(path).catch((error) => {
    if (error instanceof Deno.errors.NotFound) return `# ${adapter}\n`;
    throw error;
  });
  await Deno.mkdir(dirname(path), { recursive: true });
  await writeFileAtomically(path, new TextEncoder().encode(withSection(old, section, lines)));
  return path;
}
