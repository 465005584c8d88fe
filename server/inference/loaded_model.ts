/**
 * A model that can answer: a checked classifier with its queue.
 * @module
 */
import { Batcher, type BatcherOptions } from "./batcher.ts";
import type { RowClassifier } from "../workers/gpu_messages.ts";

/** What `LoadedModel` adds to a classifier. */
export interface ModelIdentity {
  readonly name: string;
  /** The first digits of the checkpoint's SHA-256: the same file is the same version on every replica. */
  readonly version: string;
  readonly path: string;
}

/** One version of a model, loaded and probed. */
export class LoadedModel {
  readonly batcher: Batcher;
  readonly loadedAt = new Date();

  private constructor(
    readonly identity: ModelIdentity,
    readonly classifier: RowClassifier,
    options: BatcherOptions,
  ) {
    this.batcher = new Batcher(classifier, options);
  }

  /** Takes a classifier into service once it has answered for an all-zero input and a grey photo; rejects, and closes it, otherwise. */
  static async probe(
    identity: ModelIdentity,
    classifier: RowClassifier,
    options: BatcherOptions,
  ): Promise<LoadedModel> {
    try {
      const { height, width } = classifier.card.preprocess;
      const logits = await classifier.infer(new Float32Array(3 * height * width), 1);
      const photo = { width: 16, height: 16, data: new Uint8Array(16 * 16 * 4).fill(128) };
      const [answer] = await classifier.classify([photo]);
      for (const values of [logits, answer?.logits ?? [], answer?.probabilities ?? []]) {
        const classes = classifier.card.classes.length;
        if (values.length !== classes || !values.every(Number.isFinite)) {
          const shown = [...values].slice(0, 4).join(", ");
          throw new Error(
            `Cannot serve ${identity.path}: for a probe it answered [${shown}…] (${values.length} values), expected ${classes} finite ones`,
          );
        }
      }
      return new LoadedModel(identity, classifier, options);
    } catch (error) {
      await classifier.close().catch(() => {}); // the first error is the one worth telling
      throw error;
    }
  }

  /** Waits until every request that came before is answered, then frees the network. */
  async retire(): Promise<void> {
    await this.batcher.drained();
    await this.classifier.close();
  }

  /** Asks the device for one answer, outside the queue; rejects as `Classifier.infer` does. */
  async ping(): Promise<void> {
    const { height, width } = this.classifier.card.preprocess;
    await this.classifier.infer(new Float32Array(3 * height * width), 1);
  }
}
