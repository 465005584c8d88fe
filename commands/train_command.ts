/**
 * The command line of `deno task train`.
 * @module
 */
import { UserError } from "../engine/errors.ts";
import { PLACE_OPTIONS, RUN_OPTIONS, type RunOptions, runOptions } from "../training/options.ts";
import { flag, givenFlags, UsageError } from "./cli/args.ts";
import { DISTRIBUTED_FLAG } from "./cli/ranks.ts";
import { flagsOf, openFlagsOf } from "./cli/schema_flags.ts";
import { requireModel, requireSize } from "./cli/size.ts";

const { out, ...places } = flagsOf(PLACE_OPTIONS);

/** A flag for each option of a run, for where it goes, and for what this command alone knows. */
export const TRAIN_COMMAND = {
  name: "deno task train",
  summary: "Trains a network on a folder of photos, or on procedurally drawn shapes, on any WebGPU adapter.",
  usesGpu: true,
  flags: {
    ...openFlagsOf(RUN_OPTIONS),
    out,
    resume: flag.path({
      help: "go on with a run that was stopped, with its own options; --epochs or --steps may lengthen it; " +
        "of a folder of runs, the newest",
      value: "RUN",
    }),
    ...places,
    distributed: DISTRIBUTED_FLAG,
    dryRun: flag.boolean({ help: "make the first step alone and keep nothing: whether the run would start" }),
    report: flag.boolean({
      help: "write report.html and pictures into the run's folder at its end",
      default: true,
    }),
    json: flag.boolean({ help: "print one JSON object a line" }),
  },
  hints: { name: "a run is called as its folder is, --out runs/NAME" },
};

/** Throws a `UsageError` where a run is given two lengths. */
export function requireOneLength(args: readonly string[]): void {
  const given = givenFlags(args, TRAIN_COMMAND);
  if (!given.has("epochs") || !given.has("steps")) return;
  throw new UsageError("--epochs cannot stand beside --steps: both say how long the run is");
}

/** `runOptions` of what flags say, also whether the model can be built: what is wrong with them is a `UsageError`. */
export function optionsOfFlags(given: Parameters<typeof runOptions>[0]): RunOptions {
  try {
    const options = runOptions(given);
    requireModel(options.model);
    requireSize(options.size, [options.model]);
    return options;
  } catch (error) {
    if (error instanceof UserError) throw new UsageError(error.message);
    throw error;
  }
}

/** Throws a `UsageError` for a flag beside --resume that the run's own options would contradict. */
export function requireResumable(args: readonly string[]): void {
  for (const [key, name] of givenFlags(args, TRAIN_COMMAND)) {
    if (key === "dryRun") throw new UsageError(`${name} cannot stand beside --resume: the run has begun`);
    const lengthens = key === "epochs" || key === "steps";
    if (lengthens || !(key in RUN_OPTIONS || key === "out")) continue;
    throw new UsageError(
      `${name} cannot stand beside --resume: the run keeps the options it was started with`,
    );
  }
}
