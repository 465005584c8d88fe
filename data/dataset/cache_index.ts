/**
 * The index of a photo cache: which files it holds, as they were, and where. Written last, with a checksum, so that a cache is either
 * whole or not one.
 * @module
 */
import { LOCKED_FILE } from "../cache_folder.ts";
import { join } from "@std/path";
import { z } from "zod";
import type { PhotoTraits } from "../inspection/traits.ts";
import { type Place, shardName } from "./shards.ts";

/** Changes whenever photos would be decoded, shrunk or stored otherwise. */
const VERSION = 3;

/** A file as it was. */
export interface FileStamp {
  /** Its absolute path. */
  readonly path: string;
  /** In bytes. */
  readonly size: number;
  /** When it was modified, in milliseconds since 1970. */
  readonly modified: number;
}

/** What a cache folder holds. */
export interface CacheIndex {
  /** The version of the format. */
  version: 3;
  /** The shorter side that photos were shrunk to, in pixels. */
  side: number;
  /** Bytes in each shard. */
  shards: number[];
  /** What was decoded: its size in pixels and where it lies. */
  photos: (FileStamp & Place & { width: number; height: number; traits: PhotoTraits })[];
  /** What could not be decoded, and why. */
  skipped: (FileStamp & { reason: string })[];
}

const whole = z.int().nonnegative(), side = z.int().positive();
// JSON has no infinite number: a photo that is too small to tell has none.
const traits = z.object({ hash: z.string().length(16), light: z.number(), sharpness: z.number().nullable() })
  .transform(({ sharpness, ...others }) => ({ ...others, sharpness: sharpness ?? Infinity }));
const file = { path: z.string(), size: whole, modified: z.number() };
const indexSchema: z.ZodType<CacheIndex> = z.object({
  version: z.literal(VERSION),
  side,
  shards: z.array(whole),
  photos: z.array(z.object({ ...file, width: side, height: side, traits, shard: whole, offset: whole })),
  skipped: z.array(z.object({ ...file, reason: z.string() })),
});

/** An index of this version. */
export function newIndex(content: Omit<CacheIndex, "version">): CacheIndex {
  return { version: VERSION, ...content };
}

/** Writes the index into its folder and has it on the disk when it resolves. */
export async function writeIndex(folder: string, index: CacheIndex): Promise<void> {
  const body = JSON.stringify(index);
  const file = await Deno.open(join(folder, LOCKED_FILE), { write: true, createNew: true });
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
  const text = await Deno.readTextFile(join(folder, LOCKED_FILE)).catch(() => "");
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
