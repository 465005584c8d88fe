/**
 * A network in inference mode at one batch size: photos or tensors in, logits out.
 * @module
 */
import { Plan } from "../engine/plan.ts";
import { readTensor, type Tensor, writeTensor } from "../engine/tensor.ts";
import type { Preprocess } from "./card.ts";
import { sizeOf } from "./layer.ts";
import type { Network } from "./network.ts";
import { PhotoFeed, type PlacedPhoto } from "./photo_feed.ts";

/** Two plans over the same parameters: the network alone, and the photo kernel that fills its input. */
export class Inference implements Disposable {
  readonly #feed: PhotoFeed;
  readonly #input: Plan;
  readonly #network: Plan;
  readonly #x: Tensor;
  readonly #logits: Tensor;

  private constructor(
    readonly network: Network,
    readonly batch: number,
    capacity: number,
    preprocess: Preprocess,
  ) {
    const { gpu } = network;
    this.#feed = new PhotoFeed(gpu, batch, capacity, preprocess);
    this.#network = new Plan(gpu, `inference ${batch}`);
    this.#input = new Plan(gpu, `photo input ${batch}`);
    this.#x = network.inputTensor(this.#network, batch);
    this.#feed.build(this.#input, this.#x);
    this.#logits = network.buildForward(this.#network, this.#x).logits;
  }

  /** `capacity`: the most pixels that the photos of a batch may have in all. */
  static async create(network: Network, batch: number, capacity: number, preprocess: Preprocess) {
    const inference = new Inference(network, batch, capacity, preprocess);
    try {
      await inference.#input.compile();
      await inference.#network.compile();
    } catch (error) {
      inference[Symbol.dispose]();
      throw error;
    }
    return inference;
  }

  /** Most pixels a batch of photos may have in all. */
  get capacity(): number {
    return this.#feed.capacity;
  }

  /** Logits [photos, classes] of 1 to `batch` photos. */
  async photos(photos: readonly PlacedPhoto[]): Promise<Float32Array[]> {
    this.#feed.write(photos);
    this.#input.run();
    return await this.#answer(photos.length);
  }

  /** Logits of `count` inputs, NCHW values [count, 3, H, W]. */
  async tensor(values: Float32Array, count: number): Promise<Float32Array[]> {
    const { input } = this.network.architecture;
    const one = sizeOf(input), pixels = input.h * input.w;
    if (values.length !== one * count || count < 1 || count > this.batch) {
      throw new RangeError(
        `Cannot infer: got ${values.length} values for ${count} inputs, wanted ${one} for each of 1 to ${this.batch}`,
      );
    }
    const nhwc = new Float32Array(one * this.batch);
    for (let n = 0; n < count; n++) {
      for (let c = 0; c < input.c; c++) {
        const from = n * one + c * pixels;
        for (let p = 0; p < pixels; p++) nhwc[n * one + p * input.c + c] = values[from + p]!;
      }
    }
    writeTensor(this.network.gpu, this.#x, nhwc);
    return await this.#answer(count);
  }

  async #answer(count: number): Promise<Float32Array[]> {
    this.#network.run();
    const logits = await readTensor(this.network.gpu, this.#logits);
    const classes = this.network.output.c;
    return Array.from({ length: count }, (_, n) => logits.slice(n * classes, (n + 1) * classes));
  }

  [Symbol.dispose](): void {
    this.#feed[Symbol.dispose]();
    this.#input[Symbol.dispose]();
    this.#network[Symbol.dispose]();
  }
}

/** Softmax in float64, safe for any finite logits. */
export function probabilitiesOf(logits: Float32Array): Float32Array {
  const top = logits.reduce((a, b) => Math.max(a, b), -Infinity);
  const powers = Float64Array.from(logits, (v) => Math.exp(v - top));
  const sum = powers.reduce((a, b) => a + b, 0);
  return Float32Array.from(powers, (v) => v / sum);
}
