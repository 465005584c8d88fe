/**
 * Runs in TensorBoard: an event file in each run's folder, beside its own log.
 * @module
 */
import { join } from "@std/path";
import { restartRecord, scalarRecord, versionRecord } from "../formats/tfevents.ts";
import type { RunEvent } from "../training/run/events.ts";
import type { Follower } from "./recorder.ts";

/** Writes what runs tell for `tensorboard --logdir runs`. A run that goes on has a file more. */
export class TensorboardWriter implements Follower {
  #file: Deno.FsFile | undefined;

  /** `now` in seconds since 1970. */
  constructor(readonly now: () => number = () => Date.now() / 1000) {}

  add(event: RunEvent, folder: string): void {
    const time = this.now();
    if (event.event === "start") {
      this[Symbol.dispose]();
      const name = `events.out.tfevents.${time.toFixed(3)}.${event.model}`;
      this.#file = Deno.openSync(join(folder, name), { append: true, create: true });
      this.#write(versionRecord(time));
    }
    if (event.event === "resumed") this.#write(restartRecord(time, event.step + 1));
    const scalars = scalarsOf(event);
    if (scalars && "step" in event) this.#write(scalarRecord({ time, step: event.step, scalars }));
  }

  #write(bytes: Uint8Array): void {
    for (let at = 0; this.#file && at < bytes.length;) at += this.#file.writeSync(bytes.subarray(at));
  }

  /** Closes the file. */
  [Symbol.dispose](): void {
    this.#file?.close();
    this.#file = undefined;
  }
}

/** What an event says in numbers. */
function scalarsOf(event: RunEvent): Record<string, number> | undefined {
  switch (event.event) {
    case "step": {
      const { loss, accuracy, lr, imagesPerSecond, deviceBytes } = event;
      return {
        "train/loss": loss,
        "train/accuracy": accuracy,
        "train/learning_rate": lr,
        "system/device_bytes": deviceBytes,
        ...imagesPerSecond !== null && { "system/images_per_second": imagesPerSecond },
      };
    }
    case "epoch": {
      const { epoch, trainLoss, trainAccuracy, valid } = event;
      return {
        epoch,
        "epoch/train_loss": trainLoss,
        "epoch/train_accuracy": trainAccuracy,
        ...valid && {
          "validation/loss": valid.loss,
          "validation/accuracy": valid.accuracy,
          "validation/balanced_accuracy": valid.balancedAccuracy,
        },
      };
    }
    case "end":
      return event.split === "test" && event.result
        ? { "test/loss": event.result.loss, "test/accuracy": event.result.accuracy }
        : undefined;
    default:
      return undefined;
  }
}
