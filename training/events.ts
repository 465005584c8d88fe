/**
 * What a run tells while it goes on; reporters turn it into lines, a progress bar or JSON.
 * @module
 */
import type { Evaluation } from "./evaluate.ts";

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
    readonly epochs: number;
    readonly steps: number;
    readonly out: string;
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
    readonly imagesPerSecond: number;
    /** Expected until the run ends. */
    readonly secondsLeft: number;
  }
  | {
    readonly event: "epoch";
    readonly epoch: number;
    readonly step: number;
    readonly trainLoss: number;
    readonly trainAccuracy: number;
    readonly valid: Evaluation | undefined;
    /** Whether this is the best validation accuracy so far. */
    readonly best: boolean;
    readonly imagesPerSecond: number;
  }
  | {
    readonly event: "end";
    readonly stopped: boolean;
    readonly seconds: number;
    /** The split the best checkpoint was tested on. */
    readonly split: "test" | "valid" | "none";
    readonly result: Evaluation | undefined;
    readonly best: string | undefined;
    readonly last: string;
  };

/** Receives events. */
export type Reporter = (event: RunEvent) => void;
