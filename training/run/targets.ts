/**
 * What a run learns besides its folders' classes: soft labels from a table, and a teacher's predictions.
 * @module
 */
import type { Communicator } from "../../distributed/communicator.ts";
import type { Gpu } from "../../engine/device.ts";
import type { RunOptions } from "../options/options.ts";
import type { Teacher } from "../step/trainer.ts";
import { readSoftLabels, type SoftLabelTable } from "./soft_targets.ts";
import { TeacherNetwork } from "./teacher.ts";

/** Both, as far as the options ask for them. The caller disposes of them. */
export class RunTargets implements Disposable {
  private constructor(
    /** A table, read. */
    readonly softLabels: SoftLabelTable | undefined,
    /** A trained network on the device. */
    readonly network: TeacherNetwork | undefined,
    /** The same as a trainer takes it. */
    readonly teacher: Teacher | undefined,
    /** What there is to say of them, for people. */
    readonly lines: readonly string[],
  ) {}

  /** Reads and loads them; `expected` is the hash of the teacher's file where the run has begun. Throws as their readers do. */
  static async open(
    gpu: Gpu,
    { distill, distillTemperature: temperature, distillWeight: weight, softLabels }: RunOptions,
    { classes, expected, ranks }: {
      readonly classes: readonly string[];
      readonly expected: string | undefined;
      readonly ranks: Communicator;
    },
  ): Promise<RunTargets> {
    const table = softLabels === undefined ? undefined : await readSoftLabels(softLabels, classes, ranks);
    if (distill === undefined) return new RunTargets(table, undefined, undefined, []);
    const found = await TeacherNetwork.load(gpu, distill, { classes, expected });
    const { network, preprocess } = found, teaching = { temperature, weight };
    return new RunTargets(table, found, { network, preprocess, ...teaching }, [found.text(teaching)]);
  }

  /** Frees the teacher. */
  [Symbol.dispose](): void {
    this.network?.[Symbol.dispose]();
  }
}
