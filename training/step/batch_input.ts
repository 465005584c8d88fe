/**
 * What fills a network's input in training: the photos of a batch, placed and then mixed.
 * @module
 */
import type { Affine } from "../../data/augment.ts";
import type { ErasedBox } from "../../data/jitter.ts";
import type { Preprocess, Size } from "../../data/preprocess.ts";
import type { Plan } from "../../engine/plan.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { PhotoFeed, type PlacedPhoto } from "../../model/inference/photo_feed.ts";
import type { Label, MixedLabels } from "../../model/training_step.ts";
import { BatchMixer, mixes, type MixOptions } from "./mixing.ts";

/** What an input needs to know. */
export interface BatchInputOptions {
  /** Images in one pass. */
  readonly batch: number;
  /** Most pixels that a batch of photos may have in all. */
  readonly capacity: number;
  /** How photos become the input. */
  readonly preprocess: Preprocess;
  /** Decides what is mixed. */
  readonly seed: number;
  /** How batches are mixed; default: not at all. */
  readonly mix?: MixOptions | undefined;
}

/** Owns the buffers of a batch's photos. */
export class BatchInput implements Disposable {
  readonly #feed: PhotoFeed;
  readonly #mix: MixOptions | undefined;
  #mixer: BatchMixer | undefined;

  /** Takes the buffers. */
  constructor(readonly plan: Plan, readonly options: BatchInputOptions) {
    const { batch, capacity, preprocess, mix } = options;
    this.#feed = new PhotoFeed(plan.gpu, batch, capacity, preprocess);
    this.#mix = mix && mixes(mix) ? mix : undefined;
  }

  /** Whether batches are mixed, so that samples may have two labels. */
  get mixed(): boolean {
    return this.#mix !== undefined;
  }

  /** Records what fills x [N, H, W, 3]. */
  record(x: Tensor): void {
    if (!this.#mix) return this.#feed.build(this.plan, x);
    const placed = this.plan.tensor(x.shape, "photos");
    this.#feed.build(this.plan, placed);
    this.#mixer = new BatchMixer(this.plan, { x: placed, y: x }, this.#mix, this.options.seed);
  }

  /** Uploads the batch of that number; returns what else its samples are labelled with. */
  write(photos: readonly PlacedPhoto[], labels: readonly Label[], number: number): MixedLabels | undefined {
    this.#feed.write(photos);
    return this.#mixer?.write(labels, number);
  }

  /** Records the copies of photos that lie on the device. */
  encode(encoder: GPUCommandEncoder): void {
    this.#feed.encode(encoder);
  }

  /** Frees the buffers. */
  [Symbol.dispose](): void {
    this.#feed[Symbol.dispose]();
  }
}

/** A photo as it is placed in an input of size `from`, seen the same way in one of size `to`. */
export function viewedIn(photo: PlacedPhoto, from: Size, to: Size): PlacedPhoto {
  const x = from.width / to.width, y = from.height / to.height;
  const [a, b, c, d, e, f] = photo.map;
  const map: Affine = [a * x, b * y, c, d * x, e * y, f];
  return { ...photo, map, erase: photo.erase && scaled(photo.erase, 1 / x, 1 / y) };
}

function scaled({ x0, y0, x1, y1 }: ErasedBox, x: number, y: number): ErasedBox {
  const at = (place: number, by: number) => Math.round(place * by);
  return { x0: at(x0, x), y0: at(y0, y), x1: at(x1, x), y1: at(y1, y) };
}
