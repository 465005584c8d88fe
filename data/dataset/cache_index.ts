/**
 * The index of a photo cache: which files it holds, as they were, and where. Written last, with a checksum, so that a cache is either
 * whole or not one.
 * @module
 */
import { join } from "@std/path";
import { z } from "zod";
import { shardName } from "./shards.ts";

/** Changes whenever photos would be decoded, shrunk or stored otherwise. */
const VERSION = 2;

const INDEX = "index.json";

const whole = z.int().nonnegative();
const file = { path: z.string(), size: whole, modified: z.number() };
const indexSchema = z.object({
  version: z.literal(VERSION),
  side: z.int().positive(),
  shards: z.array(whole),
  photos: z.array(
    z.object({ ...file, width: z.int().positive(), height: z.int().positive(), shard: whole, offset: whole }),
  ),
  skipped: z.array(z.object({ ...file, reason: z.string() })),
});

/** A file as it was: its path, its size in bytes, and when it was modified, in milliseconds since 1970. */
export interface FileStamp {
  readonly path: string;
  readonly size: number;
  readonly modified: number;
}

/** What a cache folder holds. */
export type CacheIndex = z.infer<typeof indexSchema>;

/** An index of this version. */
export function newIndex(content: Omit<CacheIndex, "version">): CacheIndex {
  return { version: VERSION, ...content };
}

/** Writes the index into its folder and has it on the disk when it resolves. */
export async function writeIndex(folder: string, index: CacheIndex): Promise<void> {
  const body = JSON.stringify(index);
  const file = await Deno.open(join(folder, INDEX), { write: true, createNew: true });
  try {
    const bytes = new TextEncoder().encode(`${await checksum(body)}\n${body}`);
    for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
    await file.sync();
  } finally {
    file.close();
  }
}

/** The index of a whole cache of this version; null where there is none: missing, of another version, cut off or changed. */
export async function readIndex(folder: string): Promise<CacheIndex | null> {
  const text = await Deno.readTextFile(join(folder, INDEX)).catch(() => "");
  const end = text.indexOf("\n");
  const body = text.slice(end + 1);
  if (end < 0 || text.slice(0, end) !== await checksum(body)) return null;
  const { data: index } = indexSchema.safeParse(JSON.parse(body));
  if (index === undefined) return null;
  for (const [shard, bytes] of index.shards.entries()) {
    const found = await Deno.stat(join(folder, shardName(shard))).catch(() => null);
    if (found?.size !== bytes) return null;
  }
  const inside = index.photos.every(({ width, height, shard, offset }) =>
    offset + width * height * 4 <= (index.shards[shard] ?? 0)
  );
  return inside ? index : null;
}

/** Whether the cache holds every one of these files (photo or not decodable), unchanged. */
export function covers(index: CacheIndex, side: number, stamps: readonly FileStamp[]): boolean {
  if (index.side !== side) return false;
  const known = new Map([...index.photos, ...index.skipped].map((file) => [file.path, file]));
  return stamps.every(({ path, size, modified }) => {
    const file = known.get(path);
    return file !== undefined && file.size === size && file.modified === modified;
  });
}

async function checksum(text: string): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text))).toHex();
}
