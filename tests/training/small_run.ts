/** What the tests of whole runs share: a few shapes, small options, places. */
import { join } from "@std/path";
import { parseFlags } from "../../commands/cli/args.ts";
import { givenOptions, TRAIN_COMMAND } from "../../commands/train_command.ts";
import { ensureShapes } from "../../data/shapes/shapes.ts";
import { runOptions } from "../../training/options/options.ts";

const counts = { train: 48, valid: 8, test: 8 };

/** A small set of shapes and a place for runs, gone afterwards. */
export async function withShapes(work: (dir: string, data: string) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir();
  try {
    await work(dir, await ensureShapes(join(dir, "shapes"), { seed: 3, counts }));
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

/** Options of a run of `compact` on 64x64 inputs in batches of 8, unless the flags say otherwise. */
export function smallOptions(data: string, ...flags: string[]) {
  const usual = [["--size", "64"], ["--batch-size", "8"], ["--model", "compact"]];
  const small = usual.filter(([name]) => !flags.includes(name!)).flat();
  return runOptions(givenOptions(parseFlags(["--data", data, ...small, ...flags], TRAIN_COMMAND)));
}

/** Where a run of that name goes. */
export function places(dir: string, name: string) {
  return { out: join(dir, name), cache: join(dir, "cache"), workers: 2 };
}
