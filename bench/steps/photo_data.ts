/**
 * Photos to send.
 * @module
 */
import { join } from "@std/path";

/** The bytes of up to `max` photos in a folder, at any depth; evenly spread over all of them, in the order of their paths. */
export async function walkPhotos(folder: string, max: number): Promise<Uint8Array<ArrayBuffer>[]> {
  const paths: string[] = [];
  const visit = async (path: string) => {
    for await (const entry of Deno.readDir(path)) {
      const child = join(path, entry.name);
      if (entry.isDirectory) await visit(child);
      else if (/\.(jpe?g|png|gif|tiff?)$/i.test(entry.name)) paths.push(child);
    }
  };
  await visit(folder);
  paths.sort();
  const count = Math.min(max, paths.length);
  const chosen = Array.from({ length: count }, (_, i) => paths[Math.floor(i * paths.length / count)]!);
  return await Promise.all(chosen.map((path) => Deno.readFile(path)));
}
