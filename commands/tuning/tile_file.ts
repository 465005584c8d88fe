/**
 * Keeps a search's winners in the tile file, beside those of other adapters and models.
 * @module
 */
import { dirname } from "@std/path";
import type { Gpu } from "../../engine/gpu.ts";
import {
  identity,
  kernelFingerprint,
  parseTileFile,
  tableFor,
  tileAdapter,
  type TileFile,
} from "../../model/tuned_gpu.ts";
import { TileTable } from "../../engine/kernels/matmul/tiles.ts";
import { writeFileAtomically } from "../../model/checkpoint/files.ts";
import type { Outcome } from "./search.ts";

/**
 * Adds the outcomes to the file and returns this adapter's table as it now is. What the file held for other adapters stays; what it
 * held for this one stays where it can still be used and was not measured again. Where there is nothing to keep it writes nothing.
 * Throws `FileWriteError`.
 */
export async function keepWinners(
  gpu: Gpu,
  path: string,
  outcomes: readonly Outcome[],
  onNote: (text: string) => void,
): Promise<TileTable> {
  const adapter = tileAdapter(gpu);
  const text = await Deno.readTextFile(path).catch(() => undefined);
  const parsed = text === undefined ? empty() : parseTileFile(text);
  if ("problem" in parsed) onNote(`Replacing ${path}: ${parsed.problem}`);
  const file = "problem" in parsed ? empty() : parsed;
  const known = tableFor(gpu, adapter, file);
  const products = {
    ...(known instanceof TileTable ? Object.fromEntries(known.choices) : {}),
    ...Object.fromEntries(outcomes.map(({ key, winner }) => [key, winner])),
  };
  if (Object.keys(products).length === 0) return new TileTable(new Map());
  const others = file.tables.filter((table) => `${identity(table.adapter)}` !== `${identity(adapter)}`);
  const whole: TileFile = {
    version: 3,
    tables: [...others, { adapter, kernels: kernelFingerprint(), products }],
  };
  await Deno.mkdir(dirname(path), { recursive: true });
  await writeFileAtomically(path, new TextEncoder().encode(JSON.stringify(whole, null, 1) + "\n"));
  return new TileTable(new Map(Object.entries(products)));
}

/** Throws what Deno throws, or a `FileWriteError`, where the file could not be written; it stays as it is, or missing. */
export async function requireWritable(path: string): Promise<void> {
  await Deno.mkdir(dirname(path), { recursive: true });
  const trial = `${path}.${crypto.randomUUID()}.tmp`;
  await writeFileAtomically(trial, new Uint8Array([10]));
  await Deno.remove(trial);
}

function empty(): TileFile {
  return { version: 3, tables: [] };
}
