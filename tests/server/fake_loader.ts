/**
 * A loader for the GPU's worker without a GPU: the "checkpoint" is a JSON file, the answer follows from the pixels' means, and certain
 * first pixels make the device misbehave.
 * @module
 */
import { delay } from "@std/async/delay";
import type { Pause } from "../../engine/plan.ts";
import type { DecodedImage } from "../../data/image/image.ts";
import type { ModelCard } from "../../model/checkpoint/card.ts";
import { type Classification, DeviceLostError } from "../../model/inference/classifier_types.ts";
import type { RowClassifier } from "../../server/inference/batcher.ts";
import type { LoadOptions } from "../../server/workers/gpu_thread.ts";

/** What a fake checkpoint holds. */
export interface FakeCheckpoint {
  readonly classes?: readonly string[];
  /** What a pass takes, whatever its size. */
  readonly delayMs?: number;
  /** What each input of a pass adds. */
  readonly perInputMs?: number;
  /** Added to every logit of class 0: two checkpoints can be told apart by their answers. */
  readonly bias?: number;
  /** Multiplies every logit. */
  readonly gain?: number;
  /** The probe at loading gives NaN. */
  readonly broken?: boolean;
  /** Photos of which no class reaches this probability are unknown. */
  readonly knownFrom?: number;
  /** Loading fails while a file of this name exists. */
  readonly failsWhile?: string;
  /** Loading takes steps until a file of this name exists. */
  readonly stepsUntil?: string;
  /** Loading never ends, and makes no step. */
  readonly hangs?: boolean;
}

/** A photo whose first pixel has this red value makes the device do that. */
export const TRICKS = { loseDevice: 251, endWorker: 252, hang: 253, crash: 254 } as const;

/** Input height and width of every fake. */
export const FAKE_SIZE = 8;

export function fakeCard(classes: readonly string[]): ModelCard {
  return {
    model: "fake",
    classes: [...classes],
    preprocess: {
      height: FAKE_SIZE,
      width: FAKE_SIZE,
      channels: "RGB",
      resize: "stretch",
      antialias: true,
      mean: [0, 0, 0],
      std: [1, 1, 1],
    },
    parameters: 3,
    training: {
      run: "fake",
      epoch: 2,
      step: 40,
      validationAccuracy: 0.9,
      confusion: [[8, 1, 1], [0, 9, 1], [1, 0, 9]],
    },
  };
}

export class FakeClassifier implements RowClassifier {
  readonly card: ModelCard;
  readonly adapter = "fake adapter";
  readonly batches: number[] = [];
  closed = false;
  readonly #checkpoint: FakeCheckpoint;

  constructor(checkpoint: FakeCheckpoint, readonly maxBatch: number) {
    this.#checkpoint = checkpoint;
    const card = fakeCard(checkpoint.classes ?? ["red", "green", "blue"]), { knownFrom } = checkpoint;
    const rule = { falseRefusals: 0.05, photos: 100, energy: { centre: 0, spread: 1 } };
    this.card = knownFrom === undefined ? card : { ...card, unknown: { ...rule, threshold: knownFrom } };
  }

  async classify(
    images: readonly DecodedImage[],
    options?: { explain?: boolean },
  ): Promise<Classification[]> {
    await this.#pass(images.length);
    for (const { data } of images) {
      if (data[0] === TRICKS.loseDevice) {
        throw new DeviceLostError("Cannot classify: the fake device is lost");
      }
      if (data[0] === TRICKS.endWorker) self.close();
      if (data[0] === TRICKS.crash) {
        setTimeout(() => {
          throw new Error("the fake worker crashes");
        });
      }
      if (data[0]! >= TRICKS.endWorker && data[0]! <= TRICKS.crash) await new Promise(() => {});
    }
    return images.map((image) => {
      const logits = this.#logits(channelMeans(image.data, 4, (pixel, channel) => pixel * 4 + channel));
      const heatmap = { width: 2, height: 2, data: Float32Array.of(0, 0.25, 0.5, 1) };
      return { ...this.#answer(logits), ...(options?.explain ? { heatmap } : {}) };
    });
  }

  async infer(input: Float32Array, batch: number): Promise<Float32Array> {
    await this.#pass(batch);
    const plane = FAKE_SIZE * FAKE_SIZE;
    const classes = this.card.classes.length;
    const logits = new Float32Array(batch * classes);
    for (let n = 0; n < batch; n++) {
      const row = input.subarray(n * 3 * plane, (n + 1) * 3 * plane);
      const means = channelMeans(row, 3, (pixel, channel) => channel * plane + pixel);
      logits.set(this.#logits(means), n * classes);
    }
    return logits;
  }

  async classifyRows(rows: readonly Uint8Array[]): Promise<Classification[]> {
    const bytes = Uint8Array.from(rows.flatMap((row) => [...row]));
    const logits = await this.infer(new Float32Array(bytes.buffer), rows.length);
    const classes = this.card.classes.length;
    return rows.map((_, n) => this.#answer(logits.slice(n * classes, (n + 1) * classes)));
  }

  /** A model with a rule finds unknown what it is not at least as sure of as the rule's threshold. */
  #answer(logits: Float32Array): Classification {
    const probabilities = softmax(logits), { unknown } = this.card;
    if (!unknown) return { logits, probabilities };
    const familiarity = Math.max(...probabilities);
    return { logits, probabilities, familiarity, unknown: familiarity < unknown.threshold };
  }

  memory(): Promise<number> {
    return Promise.resolve(1000);
  }

  close(): Promise<void> {
    this.closed = true;
    return Promise.resolve();
  }

  async #pass(batch: number): Promise<void> {
    if (this.closed) throw new Error("Cannot classify: the fake classifier is closed");
    if (batch < 1 || batch > this.maxBatch) throw new Error(`Cannot classify ${batch} images`);
    this.batches.push(batch);
    const { delayMs = 0, perInputMs = 0 } = this.#checkpoint;
    const wait = delayMs + perInputMs * batch;
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
  }

  #logits(means: readonly number[]): Float32Array {
    const { bias = 0, gain = 1, broken = false } = this.#checkpoint;
    return Float32Array.from(
      this.card.classes,
      (_, k) => broken ? NaN : (gain * means[k % 3]! / 32) + (k === 0 ? bias : 0),
    );
  }
}

export async function loadClassifier(
  path: string,
  options: LoadOptions,
  pause: Pause = () => Promise.resolve(),
): Promise<RowClassifier> {
  let checkpoint: FakeCheckpoint;
  try {
    checkpoint = JSON.parse(await Deno.readTextFile(path));
  } catch (error) {
    throw new Error(`Cannot open the checkpoint ${path}: ${(error as Error).message}`);
  }
  if (checkpoint.failsWhile !== undefined && await Deno.stat(checkpoint.failsWhile).catch(() => null)) {
    throw new Error("Cannot open the checkpoint: the fake device is not back yet");
  }
  await pause();
  if (checkpoint.hangs) await new Promise(() => {});
  while (checkpoint.stepsUntil !== undefined && !(await Deno.stat(checkpoint.stepsUntil).catch(() => null))) {
    await delay(5);
    await pause();
  }
  return new FakeClassifier(checkpoint, options.maxBatch);
}

function channelMeans(
  data: ArrayLike<number>,
  step: number,
  at: (pixel: number, channel: number) => number,
): number[] {
  const pixels = data.length / step;
  return [0, 1, 2].map((channel) => {
    let sum = 0;
    for (let pixel = 0; pixel < pixels; pixel++) sum += data[at(pixel, channel)]!;
    return sum / pixels;
  });
}

function softmax(logits: Float32Array): Float32Array {
  const max = Math.max(...logits);
  const exps = logits.map((logit) => Math.exp(logit - max));
  const sum = exps.reduce((a, b) => a + b, 0);
  return exps.map((value) => value / sum);
}
