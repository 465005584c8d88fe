/**
 * A network in inference mode at one batch size: photos or tensors in, logits out.
 * @module
 */
import { type Pause, Plan, submitFirst } from "../../engine/plan.ts";
import * as moments from "../../engine/kernels/moments/moments.ts";
import { readTensors, type Tensor } from "../../engine/tensor.ts";
import { UserError } from "../../engine/errors.ts";
import type { Preprocess } from "../../data/preprocess.ts";
import type { Network } from "../network.ts";
import { PhotoFeed, type PlacedPhoto } from "./photo_feed.ts";
import { TensorFeed } from "./tensor_feed.ts";

/** What comes of one input. */
export interface Pass {
  /** One per class. */
  readonly logits: Float32Array;
  /** Of each map that is wanted: the mean of every channel over its places, then every standard deviation. */
  readonly moments: readonly Float32Array[];
}

/** Two plans over the same parameters: the network alone, and the photo kernel that fills its input. */
export class Inference implements Disposable {
  readonly #feed: PhotoFeed;
  readonly #input: Plan;
  readonly #network: Plan;
  readonly #x: Tensor;
  /** Logits, and the moments of each map that is wanted. */
  readonly #outputs: readonly Tensor[];
  /** Made with the first tensor: who only sends photos need not hold it. */
  #tensors: TensorFeed | undefined;

  private constructor(
    readonly network: Network,
    readonly batch: number,
    capacity: number,
    preprocess: Preprocess,
    maps: readonly string[],
  ) {
    const { gpu } = network;
    this.#feed = new PhotoFeed(gpu, batch, capacity, preprocess);
    this.#network = new Plan(gpu, `inference ${batch}`);
    this.#input = new Plan(gpu, `photo input ${batch}`);
    this.#x = network.inputTensor(this.#network, batch);
    this.#feed.build(this.#input, this.#x);
    const made = new Map<string, Tensor>();
    const { logits } = network.buildForward(this.#network, this.#x, (name, y) => made.set(name, y));
    this.#outputs = [
      logits,
      ...maps.map((name) => {
        const x = made.get(name);
        if (x === undefined) {
          throw new UserError(`Cannot build ${network.architecture.name}: no layer is ${name}`);
        }
        return moments.forward(this.#network, { x });
      }),
    ];
  }

  /** `capacity`: the most pixels that the photos of a batch may have in all. `maps`: layers whose moments are told, too. */
  static async create(
    network: Network,
    batch: number,
    { capacity, preprocess, maps, pause }: {
      readonly capacity: number;
      readonly preprocess: Preprocess;
      readonly maps: readonly string[];
      readonly pause?: Pause | undefined;
    },
  ) {
    const inference = new Inference(network, batch, capacity, preprocess, maps);
    try {
      await inference.#input.compile(pause);
      await inference.#network.compile(pause);
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

  /** Runs every launch once over a photo that says nothing, with a `pause` after each, or without one as fast as can be. */
  async warm(pause?: Pause): Promise<void> {
    this.#feed.write([{ width: 1, height: 1, data: new Uint8Array(4), map: [1, 0, 0, 0, 1, 0] }]);
    if (pause === undefined) return await submitFirst(this.network.gpu, [this.#input, this.#network]);
    await this.#input.runInSteps(pause);
    await this.#network.runInSteps(pause);
  }

  /** What comes of each of 1 to `batch` photos. */
  async photos(photos: readonly PlacedPhoto[]): Promise<Pass[]> {
    this.#feed.write(photos);
    await submitFirst(this.network.gpu, [this.#input], (encoder) => this.#feed.encode(encoder));
    return await this.#answer(photos.length);
  }

  /** What comes of each of 1 to `batch` inputs, each the bytes of NCHW float32 values [3, H, W]; throws as `TensorFeed.run` does. */
  async rows(rows: readonly Uint8Array[]): Promise<Pass[]> {
    this.#tensors ??= await TensorFeed.create(this.network.gpu, this.#x);
    this.#tensors.run(rows);
    return await this.#answer(rows.length);
  }

  async #answer(count: number): Promise<Pass[]> {
    await submitFirst(this.network.gpu, [this.#network]);
    const [logits, ...maps] = await readTensors(this.network.gpu, this.#outputs);
    const part = (values: Float32Array, n: number) => {
      const length = values.length / this.batch;
      return values.slice(n * length, (n + 1) * length);
    };
    return Array.from({ length: count }, (_, n) => ({
      logits: part(logits!, n),
      moments: maps.map((values) => part(values, n)),
    }));
  }

  [Symbol.dispose](): void {
    this.#feed[Symbol.dispose]();
    this.#tensors?.[Symbol.dispose]();
    this.#input[Symbol.dispose]();
    this.#network[Symbol.dispose]();
  }
}

/** Softmax of the logits divided by `temperature`, in float64, safe for any finite logits. */
export function probabilitiesOf(logits: Float32Array, temperature = 1): Float32Array {
  const top = logits.reduce((a, b) => Math.max(a, b), -Infinity);
  const powers = Float64Array.from(logits, (v) => Math.exp((v - top) / temperature));
  const sum = powers.reduce((a, b) => a + b, 0);
  return Float32Array.from(powers, (v) => v / sum);
}
