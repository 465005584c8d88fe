/** Events of a small run, for tests. */
import type { Evaluation } from "../../training/evaluation/evaluate.ts";
import type { RunEvent } from "../../training/run/events.ts";

/** Three of four photos right. */
export const EVALUATION: Evaluation = {
  n: 4,
  accuracy: 0.75,
  balancedAccuracy: 0.75,
  loss: 0.5,
  perClass: [
    { class: "cat", n: 2, recall: 1, precision: 2 / 3 },
    { class: "dog", n: 2, recall: 0.5, precision: 1 },
  ],
  confusion: [[2, 0], [1, 1]],
};

/** A run of two classes starts. */
export function startOf(out = "run"): RunEvent {
  return {
    ...{ event: "start", adapter: "test", tiles: "built-in", model: "compact", parameters: 1000 },
    ...{ data: "photos", split: "by folders", classes: ["cat", "dog"], leftOut: 0, chosen: [], out },
    ...{ images: { train: 20, valid: 4, test: 0 }, epochs: 2, steps: 40 },
  };
}

/** A reading at a step. */
export function stepOf(step: number, loss = 0.5): RunEvent {
  return {
    ...{ event: "step", epoch: Math.ceil(step / 20), step, steps: 40, loss, accuracy: 0.5, lr: 0.1 },
    ...{ imagesPerSecond: 100, secondsLeft: 1, deviceBytes: 1e6 },
  };
}

/** An epoch's end. */
export function epochOf(epoch: number, step: number): RunEvent {
  return {
    ...{ event: "epoch", epoch, step, trainLoss: 0.6, trainAccuracy: 0.6, valid: EVALUATION, best: true },
    imagesPerSecond: 100,
  };
}

/** The run's end. */
export function endOf(step: number): RunEvent {
  return {
    ...{ event: "end", stopped: false, epoch: 2, step, steps: 40, seconds: 3, split: "none" },
    ...{ result: undefined, trainedBefore: 0, best: undefined, last: "run/last.safetensors" },
  };
}
