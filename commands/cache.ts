/** `deno task cache`: what is kept on disk between runs, and how to be rid of it. */
import { format as formatBytes } from "@std/fmt/bytes";
import {
  CACHE_KINDS,
  CACHE_ROOT,
  type CacheEntry,
  type CacheKind,
  clearCache,
  surveyCache,
} from "../data/cache_folder.ts";
import { flag, parseOrExit, UsageError } from "./cli/args.ts";
import { runCommand } from "./cli/failures.ts";

const NAME = "deno task cache";
const KINDS = Object.keys(CACHE_KINDS) as CacheKind[];

const flags = parseOrExit(Deno.args, {
  name: NAME,
  summary: "Shows what is kept on disk between runs: " +
    `${
      Object.entries(CACHE_KINDS).map(([kind, { what }]) => `${what} (${kind})`).join(", ")
    } and, beside them, ` +
    "the graphics driver's compiled kernels. KIND shows or clears one kind only.",
  flags: {
    clear: flag.boolean({
      help:
        "remove it without asking, and say what was freed; what a running program uses stays, and so do runs/ and " +
        "the driver's own",
    }),
    folder: flag.path({ help: "the cache's folder", default: CACHE_ROOT, value: "DIR" }),
    json: flag.boolean({ help: "print one JSON object" }),
  },
  positionals: { name: "KIND" },
});

await runCommand(NAME, async () => {
  const { positionals: kinds, clear, folder, json } = flags;
  const unknown = kinds.find((kind) => !KINDS.includes(kind as CacheKind));
  if (unknown !== undefined) throw new UsageError(`KIND is ${unknown}, wanted one of ${KINDS.join(", ")}`);
  const chosen = kinds.length > 0 ? kinds as CacheKind[] : KINDS;
  const entries = clear
    ? await clearCache(chosen, folder)
    : (await surveyCache(folder)).filter(({ kind }) => kinds.length === 0 || kinds.includes(kind));
  const gone = entries.filter(({ held }) => held === undefined);
  const sizeOf = (some: readonly CacheEntry[]) => some.reduce((sum, { bytes }) => sum + bytes, 0);
  const bytes = sizeOf(clear ? gone : entries);
  if (json) return console.log(JSON.stringify({ folder, [clear ? "freed" : "bytes"]: bytes, entries }));
  if (entries.every(({ kind }) => kind === "driver")) console.log(`Nothing is kept in ${folder}`);
  for (const entry of entries) console.log(lineOf(entry, clear));
  if (clear) console.log(`${formatBytes(bytes)} freed`);
  else if (entries.length > 0) {
    const removable = gone.filter(({ kind }) => KINDS.includes(kind as CacheKind));
    const what = removable.length > 0
      ? `--clear [${KINDS.join("|")}] removes ${formatBytes(sizeOf(removable))} of it`
      : "--clear removes nothing of it";
    console.log(`${formatBytes(bytes)} in all; ${what}`);
  }
});

function lineOf({ kind, path, bytes, used, held, note }: CacheEntry, clear: boolean): string {
  const when = used ? `used ${used.toISOString().slice(0, 10)}` : "empty";
  const what = clear ? held === undefined ? "removed, " : "kept, " : "";
  const why = kind === "driver"
    ? "the driver's own, not removed here"
    : kind === "other"
    ? "not of this project"
    : held ?? note;
  return `${kind.padEnd(7)} ${formatBytes(bytes).padStart(8)}  ${what}${when}  ${path}${
    why ? ` (${why})` : ""
  }`;
}
