/**
 * Whether all ranks are about to compute the same run: a rank with other photos or another version would spoil it without a word.
 * @module
 */
import { type Communicator, gatherValues, rankName } from "../../distributed/communicator.ts";
import type { Gpu } from "../../engine/device.ts";
import { UserError } from "../../engine/errors.ts";
import { tilesId } from "../../engine/kernels/matmul/tiles.ts";
import { count } from "../../engine/text.ts";
import { codeHash, shortHash } from "./code_hash.ts";
import { encodePhotoList, type PhotoList } from "../photos/photo_list.ts";
import type { SettledOptions } from "../options/settle.ts";

/** What a rank has; equal texts mean equal things. */
interface Own {
  readonly version: string;
  readonly adapter: string;
  readonly photos: string;
  readonly teacher: string;
  readonly options: readonly string[];
}

/** What is compared, as people call it, and what to do where it differs. */
const WHAT: Readonly<Record<keyof Own, readonly [name: string, advice: string]>> = {
  version: ["another version of the program", "install the same on every machine"],
  adapter: [
    "another adapter or other tiles",
    "their sums differ in the last bits: use equal adapters and drivers",
  ],
  photos: ["other photos", "copy the same folder to every machine, or share one"],
  teacher: ["another teacher", "copy the same file to every machine, or share one"],
  options: ["other options", "give every rank the same command line"],
};

/** Throws a `UserError` for ranks that would have nothing to do. */
export function requireWork({ size }: Communicator, { microBatches = 1 }: SettledOptions): void {
  if (microBatches >= size) return;
  throw new UserError(
    `Cannot train on ${count(size, "rank")}: a step has ${
      count(microBatches, "micro-batch", "micro-batches")
    } and each rank needs one; start fewer ranks, or give a larger --micro-batches or a smaller --batch-size`,
  );
}

/** Throws a `UserError` on rank 0 that names the first rank which has something else than it; the others wait for the end. */
export async function requireSameRun(
  ranks: Communicator,
  gpu: Gpu,
  { data: _data, weights: _weights, distill: _distill, softLabels: _softLabels, ...options }: SettledOptions,
  { classes, photoList, teacher }: {
    readonly classes: readonly string[];
    readonly photoList: PhotoList;
    /** Of the teacher's file, where there is one. */
    readonly teacher: string | undefined;
  },
): Promise<void> {
  if (ranks.size === 1) return;
  const own: Own = {
    version: `code ${await codeHash()}, Deno ${Deno.version.deno}`,
    adapter: `${gpu.name}, tiles ${tilesId(gpu)}`,
    photos: `${count(photoList.photos.length, "photo")}, list ${await shortHash(
      encodePhotoList(photoList) + JSON.stringify(classes),
    )}`,
    teacher: teacher === undefined ? "no teacher" : `SHA-256 ${teacher.slice(0, 16)}`,
    options: Object.entries(options).filter(([, value]) => value !== undefined).map((entry) =>
      JSON.stringify(entry)
    ).sort(),
  };
  const all = await gatherValues(ranks, own);
  const text = differenceText(ranks, all);
  if (text === undefined) return;
  // One sentence is enough: the first rank says it and ends the others.
  if (ranks.rank > 0) await ranks.barrier();
  throw new UserError(text);
}

/** What the first rank that differs from rank 0 has else; undefined where none does. */
export function differenceText(ranks: Pick<Communicator, "hosts">, all: readonly Own[]): string | undefined {
  for (const [key, [name, advice]] of Object.entries(WHAT) as [keyof Own, readonly [string, string]][]) {
    const first = [all[0]![key]].flat();
    const rank = all.findIndex((other) => `${other[key]}` !== `${first}`);
    if (rank < 0) continue;
    const other = [all[rank]![key]].flat();
    const only = (some: readonly string[], others: readonly string[]) =>
      some.filter((text) => !others.includes(text)).join(", ") || "none of it";
    return `Cannot train together: ${rankName(ranks, rank)} has ${name} (${only(other, first)}) than ${
      rankName(ranks, 0)
    } (${only(first, other)}); ${advice}`;
  }
  return undefined;
}
