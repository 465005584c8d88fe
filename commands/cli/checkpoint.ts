/**
 * The flags `--checkpoint` and `--tta` of commands that use one trained network.
 * @module
 */
import { flag } from "./flags.ts";

/** `--checkpoint`; `checkpointAt` says which file it means. */
export const CHECKPOINT_FLAG = flag.path({
  help: "file written by train or convert, or a run's folder: its best",
  value: "PATH",
  required: true,
});

/** `--tta`: test-time augmentation. */
export const TTA_FLAG = flag.boolean({
  help: "test-time augmentation: classify each photo and its mirror image, and take the mean of their logits",
});
