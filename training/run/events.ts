/**
 * What a run tells while it goes on.
 * @module
 */
import type { Evaluation } from "../evaluation/evaluate.ts";
import type { Choice } from "../options/settle.ts";
import type { LossParts } from "../step/loss_sums.ts";

/** Accuracy over the folds of a cross-validation. */
export interface FoldFigures {
  /** Of each fold, in order. */
  readonly accuracy: readonly number[];
  /** Their mean. */
  readonly mean: number;
  /** Their standard deviation (of a sample). */
  readonly deviation: number;
}

/** One thing that happened in a run. */
export type RunEvent =
  | { readonly event: "note"; readonly text: string }
  | {
    readonly event: "start";
    readonly adapter: string;
    /** Identity of the measured tiles in use, or `built-in`. */
    readonly tiles: string;
    readonly model: string;
    readonly parameters: number;
    readonly data: string;
    readonly split: string;
    readonly classes: readonly string[];
    readonly images: { readonly train: number; readonly valid: number; readonly test: number };
    /** Files of the classes' folders that are not used. */
    readonly leftOut: number;
    readonly epochs: number;
    readonly steps: number;
    /** What the run was not told and chose by itself. */
    readonly chosen: readonly Choice[];
    readonly out: string;
  }
  | {
    /** A run goes on: what was told of steps after this one will be told again. */
    readonly event: "resumed";
    readonly step: number;
  }
  | { readonly event: "progress"; readonly what: string; readonly done: number; readonly total: number }
  | {
    readonly event: "step";
    readonly epoch: number;
    readonly step: number;
    readonly steps: number;
    readonly loss: number;
    readonly accuracy: number;
    readonly lr: number;
    /** How far predictions are from soft targets, where there are any. */
    readonly targets?: LossParts;
    /** Null where no step was made since the last report but those that compiled kernels. */
    readonly imagesPerSecond: number | null;
    /** Expected until the run ends; null where no rate is known. */
    readonly secondsLeft: number | null;
    /** Bytes of device memory held. */
    readonly deviceBytes: number;
  }
  | {
    readonly event: "epoch";
    readonly epoch: number;
    readonly step: number;
    readonly trainLoss: number;
    readonly trainAccuracy: number;
    readonly valid: Evaluation | undefined;
    /** Whether this is the best validation accuracy so far, or the same with a lower loss. */
    readonly best: boolean;
    /** How far predictions were from soft targets, where there are any. */
    readonly targets?: LossParts;
    /** Null where the epoch had no step but those that compiled kernels. */
    readonly imagesPerSecond: number | null;
  }
  | {
    readonly event: "folds";
    /** Photos of all folds together, each judged by the run that was not trained on it. */
    readonly n: number;
    /** Of the best epochs, chosen on the same photos, and of the last ones, which were not. */
    readonly best: FoldFigures;
    readonly last: FoldFigures;
    /** The folder of the runs. */
    readonly out: string;
  }
  | {
    readonly event: "end";
    readonly stopped: boolean;
    /** Where it stands: the epoch in progress, or the last one; steps done, and those of the run. */
    readonly epoch: number;
    readonly step: number;
    readonly steps: number;
    readonly seconds: number;
    /** The split the best checkpoint was tested on. */
    readonly split: "test" | "valid" | "none";
    readonly result: Evaluation | undefined;
    /** Images of that split that the starting weights were trained on. */
    readonly trainedBefore: number;
    readonly best: string | undefined;
    readonly last: string;
  };

/** Receives events. */
export type Reporter = (event: RunEvent) => void;
