/**
 * What this project keeps on disk between runs: the one place that knows every kind of it, where it lies, and how it is removed without
 * disturbing a program that works with it.
 * @module
 */
import { isDirectory } from "../engine/files.ts";
import { basename, join, resolve } from "@std/path";
import { ABANDONED_MS, draftState } from "./drafts.ts";

/** The folder of all of it, relative to the working directory; nothing outside of it is ever removed. */
export const CACHE_ROOT = ".cache";

/** What is kept, by kind: its place below the root and what it is. */
export const CACHE_KINDS = {
  /** A folder for each data set and size. */
  photos: { place: "photos", what: "decoded photos" },
  /** The data set that is drawn. */
  shapes: { place: "shapes", what: "the drawn data set" },
  /** What `tune` has measured. */
  tiles: { place: "tiles.json", what: "tuned tiles" },
  /** What `setup` has fetched, and what it decided. */
  drivers: { place: "drivers", what: "this project's own graphics driver and the choice of it" },
  /** What `fetch` has brought from object stores. */
  checkpoints: { place: "checkpoints", what: "checkpoints from object stores" },
  /** What `bundle` has built. */
  browser: { place: "browser", what: "the engine built for pages" },
} as const;

/** A kind of what is kept. */
export type CacheKind = keyof typeof CACHE_KINDS;

/** Where a kind is kept. */
export function cachePlace(kind: CacheKind, root: string = CACHE_ROOT): string {
  return join(root, CACHE_KINDS[kind].place);
}

/** One thing that is kept. */
export interface CacheEntry {
  /** `driver` is the graphics driver's own, `other` what others have put here: neither is removed. */
  readonly kind: CacheKind | "driver" | "other";
  /** File or folder. */
  readonly path: string;
  /** Of all files in it. */
  readonly bytes: number;
  /** When it was last read or written, as far as the file system tells; undefined for an empty folder. */
  readonly used: Date | undefined;
  /** Why it must stay for now; undefined where it may go. */
  readonly held?: string | undefined;
  /** What is to be known of one that may go. */
  readonly note?: string | undefined;
}

/** An entry that was to be removed: `held` says why it is still there. */
export type Cleared = CacheEntry;

/** Everything that is kept in `root`, and the driver's own cache. */
export async function surveyCache(root: string = CACHE_ROOT): Promise<CacheEntry[]> {
  const photos = cachePlace("photos", root);
  const caches = await Promise.all(
    (await namesIn(photos)).map((name) => entryOf("photos", join(photos, name))),
  );
  const busy = caches.some(({ held }) => held !== undefined);
  const entries: CacheEntry[] = caches;
  for (const name of await namesIn(root)) {
    const path = join(root, name);
    if (name === CACHE_KINDS.photos.place) continue;
    if (name === CACHE_KINDS.tiles.place) entries.push(await entryOf("tiles", path));
    else if (name === CACHE_KINDS.browser.place) entries.push(await entryOf("browser", path));
    else if (name === CACHE_KINDS.checkpoints.place) entries.push(await entryOf("checkpoints", path));
    else if (name === CACHE_KINDS.drivers.place) entries.push(await driversEntry(path));
    else if (name === CACHE_KINDS.shapes.place || name.startsWith(`.${CACHE_KINDS.shapes.place}-`)) {
      const shapes = await entryOf("shapes", path);
      // A run decodes them from here into the photos' cache.
      entries.push(busy && !shapes.held ? { ...shapes, held: "a run that is going on may read it" } : shapes);
    } else entries.push(await entryOf("other", path));
  }
  const driver = driverCache();
  if (driver && isDirectory(driver)) entries.push(await entryOf("driver", driver));
  return entries;
}

/**
 * Removes what is kept of these kinds in `root`. What a program uses stays, and so does what lies elsewhere and is only linked here;
 * `held` says so.
 */
export async function clearCache(
  kinds: readonly CacheKind[],
  root: string = CACHE_ROOT,
): Promise<Cleared[]> {
  const cleared: Cleared[] = [];
  for (const entry of await surveyCache(root)) {
    if (!kinds.includes(entry.kind as CacheKind)) continue;
    const held = entry.held ??
      (await liesIn(root, entry.path) ? undefined : "it lies outside of the cache folder");
    if (held === undefined) await remove(entry.path);
    cleared.push({ ...entry, held });
  }
  return cleared;
}

/** Whether nothing on the way from the root to a path is a link. */
async function liesIn(root: string, path: string): Promise<boolean> {
  const real = await Deno.realPath(root);
  return await Deno.realPath(path) === join(real, resolve(path).slice(resolve(root).length));
}

/** In two steps, so that nobody finds half of it. */
async function remove(path: string): Promise<void> {
  const aside = join(path, "..", `.${basename(path)}-${crypto.randomUUID()}`);
  await Deno.rename(path, aside);
  await Deno.remove(aside, { recursive: true });
}

async function entryOf(kind: CacheEntry["kind"], path: string): Promise<CacheEntry> {
  const { bytes, used } = await measure(path);
  const draft = basename(path).startsWith(".") && kind !== "driver" && kind !== "other";
  if (kind === "photos" && await isLocked(path)) {
    return { kind, path, bytes, used, held: "a program reads it" };
  }
  if (!draft) return { kind, path, bytes, used };
  const state = await draftState(path);
  const held = state === "written"
    ? "a program writes it"
    : state === "unknown" && used && Date.now() - used.getTime() < ABANDONED_MS
    ? "it is new, and a program may write it"
    : undefined;
  return { kind, path, bytes, used, ...held ? { held } : { note: "left by a program that ended" } };
}

/** Drivers that a program has loaded stay: it reads the manifest again when the device was lost. */
async function driversEntry(path: string): Promise<CacheEntry> {
  const entry = await entryOf("drivers", path);
  const drafts = (await namesIn(path)).filter((name) => /^\..*\.tmp$/.test(name));
  const ages = await Promise.all(
    drafts.map(async (name) =>
      Date.now() - ((await measure(join(path, name))).used?.getTime() ?? Date.now())
    ),
  );
  if (ages.some((age) => age < ABANDONED_MS)) {
    return { ...entry, held: "`deno task setup` may be writing it" };
  }
  return await isLoaded(path) ? { ...entry, held: "a program runs with it" } : entry;
}

/** Whether a process has a library of a folder in its memory, as far as the system tells. */
async function isLoaded(folder: string): Promise<boolean> {
  if (Deno.build.os !== "linux") return false;
  const place = join(await Deno.realPath(folder), "/");
  for (const id of (await namesIn("/proc")).filter((name) => /^\d+$/.test(name))) {
    const maps = await Deno.readTextFile(`/proc/${id}/maps`).catch(() => ""); // it has ended, or is another user's
    if (maps.includes(place)) return true;
  }
  return false;
}

async function measure(path: string): Promise<{ bytes: number; used: Date | undefined }> {
  const stat = await Deno.lstat(path).catch(() => null); // another program may have removed it
  if (stat === null) return { bytes: 0, used: undefined };
  if (!stat.isDirectory) {
    const times = [stat.atime, stat.mtime].map((time) => time?.getTime() ?? 0);
    return { bytes: stat.size, used: new Date(Math.max(...times)) };
  }
  let bytes = 0, last = 0;
  for (const name of await namesIn(path)) {
    const inner = await measure(join(path, name));
    bytes += inner.bytes;
    last = Math.max(last, inner.used?.getTime() ?? 0);
  }
  return { bytes, used: last > 0 ? new Date(last) : undefined };
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name).sort();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return [];
    throw error;
  }
}

/** The file of a photo cache that whoever reads it holds a lock on. */
export const LOCKED_FILE = "index.json";

/** Marks a photo cache as being read, until disposed of or the program ends. */
export function holdCache(folder: string): Disposable | undefined {
  try {
    const file = Deno.openSync(join(folder, LOCKED_FILE));
    try {
      file.lockSync(false); // nobody else keeps it for longer than a look
    } catch {
      // a file system without locks has none to respect
    }
    return file;
  } catch {
    return undefined; // what cannot be opened is found out when it is read
  }
}

async function isLocked(folder: string): Promise<boolean> {
  try {
    using file = await Deno.open(join(folder, LOCKED_FILE));
    return !await file.tryLock(true);
  } catch {
    return false;
  }
}

/** Where Mesa keeps compiled kernels; undefined on other systems, and without the right to ask. */
function driverCache(): string | undefined {
  const of = (variable: string) =>
    Deno.permissions.querySync({ name: "env", variable }).state === "granted"
      ? Deno.env.get(variable)
      : undefined;
  if (Deno.build.os !== "linux") return undefined;
  const named = of("MESA_SHADER_CACHE_DIR") ?? of("XDG_CACHE_HOME"), home = of("HOME");
  const parent = named ?? (home && join(home, ".cache"));
  return parent && join(parent, "mesa_shader_cache");
}
