/**
 * The GPU's thread: waiting for the device blocks the thread that waits, so it must not be the one that speaks HTTP.
 * Knows no GPU itself: how a checkpoint is opened is told by the worker's own file, or by a test's.
 * @module
 */
import { setPriority } from "node:os";
import type { DecodedImage } from "../../data/image/image.ts";
import type { Pause } from "../../engine/plan.ts";
import type { ModelCard } from "../../model/checkpoint/card.ts";
import type { Classification } from "../../model/inference/classifier_types.ts";
import type { RowClassifier } from "../inference/batcher.ts";
import { answerCalls, type Asides } from "./calls.ts";

/** How a checkpoint is opened. */
export interface LoadOptions {
  /** Inputs in one pass at most; plans are built for batches up to this. */
  readonly maxBatch: number;
}

/**
 * Opens a checkpoint file; rejects with a sentence that names the file. All that it opens shares one device, whose memory each
 * classifier tells. It must call `pause` before it uses the device and then, often, between two steps: other models answer at each.
 */
export type LoadClassifier = (path: string, options: LoadOptions, pause: Pause) => Promise<RowClassifier>;

/** What `load` answers: the number that other calls name the classifier by, and what it says about itself. */
export interface Loaded {
  readonly model: number;
  readonly card: ModelCard;
  readonly adapter: string;
  readonly maxBatch: number;
}

/** What the thread does on demand: `Classifier`'s methods, by the number that `load` answered with. */
export interface GpuApi {
  /** Keeps a port for as long as the thread lives; its other end sees it close. */
  hold(lifeline: MessagePort): void;
  load(path: string, options: LoadOptions): Promise<Loaded>;
  classify(model: number, images: readonly DecodedImage[], explain: boolean): Promise<Classification[]>;
  classifyRows(model: number, rows: readonly Uint8Array[]): Promise<Classification[]>;
  memory(model: number): Promise<number>;
  close(model: number): Promise<void>;
}

/** Makes this thread the GPU's: from now on it opens checkpoints, and answers with them. */
export function serveClassifiers(loadClassifier: LoadClassifier): void {
  // A software adapter computes on this machine's processors, in threads that this one starts. They yield to the thread that speaks HTTP:
  // health checks must not wait for the network. On Linux a thread has a priority of its own; elsewhere it is the whole program's.
  if (Deno.build.os === "linux") setPriority(0, 5);
  const classifiers = new Map<number, RowClassifier>();
  const held: MessagePort[] = [];
  let next = 1;
  const find = (model: number) => {
    const classifier = classifiers.get(model);
    if (classifier === undefined) throw new Error(`Cannot ask model ${model}: it is closed`);
    return classifier;
  };
  const load: Asides<GpuApi, "load">["load"] = async (pause, path, options) => {
    const classifier = await loadClassifier(path, options, pause);
    const model = next++;
    classifiers.set(model, classifier);
    const { card, adapter, maxBatch } = classifier;
    return { model, card, adapter, maxBatch };
  };
  answerCalls<GpuApi, "load">({
    hold: (lifeline) => void held.push(lifeline),
    classify: async (model, images, explain) => await find(model).classify(images, { explain }),
    classifyRows: async (model, rows) => await find(model).classifyRows(rows),
    memory: async (model) => await find(model).memory(),
    close: async (model) => {
      const classifier = find(model);
      classifiers.delete(model);
      await classifier.close();
    },
  }, { load });
}
