/**
 * The teacher of a run: a trained network whose predictions are learnt, too (docs/distillation.md).
 * @module
 */
import { nameList } from "../../data/dataset/names.ts";
import type { SplitRecord } from "../../data/dataset/split_record.ts";
import type { Preprocess } from "../../data/preprocess.ts";
import type { Gpu } from "../../engine/device.ts";
import { UserError } from "../../engine/errors.ts";
import { architecture } from "../../model/architectures/registry.ts";
import { decodeCheckpoint } from "../../model/checkpoint/encoding.ts";
import { readWeightsFile } from "../../model/checkpoint/files.ts";
import { Network } from "../../model/network.ts";

/** A trained network on the device; the caller disposes of it. */
export class TeacherNetwork implements Disposable {
  private constructor(
    /** Ready to predict. */
    readonly network: Network,
    /** How photos become its input. */
    readonly preprocess: Preprocess,
    /** Of its file, in hex, by which a run that goes on knows it. */
    readonly sha256: string,
    /** Which photos it was trained on, where it says so. */
    readonly split: SplitRecord | undefined,
  ) {}

  /**
   * Loads a checkpoint whose predictions are for these classes in this order. Throws a `UserError` where they are for others, or where the
   * file is another than the one with the hash `expected`.
   */
  static async load(
    gpu: Gpu,
    path: string,
    { classes, expected }: { readonly classes: readonly string[]; readonly expected?: string | undefined },
  ): Promise<TeacherNetwork> {
    const bytes = await readWeightsFile(path);
    const sha256 = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
    if (expected !== undefined && sha256 !== expected) {
      throw new UserError(
        `Cannot go on with the teacher ${path}: the file was changed since the run began; put the old one back there`,
      );
    }
    const { card, tensors } = decodeCheckpoint(bytes, path);
    if (JSON.stringify(card.classes) !== JSON.stringify(classes)) {
      const order = [...card.classes].sort().join("\0") === [...classes].sort().join("\0");
      throw new UserError(
        `Cannot learn from the teacher ${path}: its classes are ${nameList(card.classes)}, the run's ${
          nameList(classes)
        }` + (order ? "; --classes gives the run the teacher's order" : ""),
      );
    }
    using stack = new DisposableStack();
    const size = { classes: classes.length, size: card.preprocess.height };
    const network = stack.use(new Network(gpu, architecture(card.model, size)));
    network.load(tensors);
    stack.move();
    return new TeacherNetwork(network, card.preprocess, sha256, card.split);
  }

  /** That it teaches, and how, as a line for people. */
  text({ temperature, weight }: { readonly temperature: number; readonly weight: number }): string {
    const { architecture: { name, input }, parameters } = this.network;
    return `Teacher   ${name} at ${input.w}x${input.h}, ${
      parameters.count.toLocaleString("en")
    } parameters: ${Math.round(weight * 100)} % of the loss, at temperature ${temperature}`;
  }

  /** Frees the network. */
  [Symbol.dispose](): void {
    this.network[Symbol.dispose]();
  }
}
