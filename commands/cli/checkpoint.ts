/**
 * The flag `--checkpoint` of commands that use one trained network.
 * @module
 */
import { flag } from "./flags.ts";

/** `--checkpoint`; `checkpointAt` says which file it means. */
export const CHECKPOINT_FLAG = flag.path({
  help: "file written by train or convert, or a run's folder: its best",
  value: "PATH",
  required: true,
});
