/**
 * What a run works on and how it is steered.
 * @module
 */
import type { Reporter } from "./events.ts";
import type { PhotoSource } from "./photo_source.ts";
import type { RunFolder } from "./run_folder.ts";

/** The photos of each split. */
export interface RunData {
  readonly train: PhotoSource;
  readonly valid: PhotoSource;
  readonly test: PhotoSource;
}

/** How a run is carried out; none of it changes the result. */
export interface RunControl {
  readonly folder: RunFolder;
  readonly report: Reporter;
  /** Stops after the current step and keeps the state. */
  readonly signal?: AbortSignal | undefined;
  /** Goes on from the state in the folder. */
  readonly resume?: boolean | undefined;
  /** Steps after which the state is saved, besides the end of every epoch. */
  readonly saveEvery?: number | undefined;
}
