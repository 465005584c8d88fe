/**
 * Brings photos to the device: pixels and sample records of one batch, which one launch turns into the input.
 * @module
 */
import type { Gpu } from "../engine/gpu.ts";
import { encodeSample, photoInput, SAMPLE_WORDS } from "../engine/kernels/photo_input.ts";
import type { Plan } from "../engine/plan.ts";
import { createTensor, destroyTensor, type Tensor } from "../engine/tensor.ts";
import type { Affine, Size } from "../data/augment.ts";
import type { Preprocess } from "./card.ts";

/** One photo of a batch and the map that places it in the input. */
export interface PlacedPhoto extends Size {
  /** RGBA bytes, width * height * 4 of them. */
  readonly data: Uint8Array;
  readonly map: Affine;
}

/** Device buffers for the photos of one batch. */
export class PhotoFeed implements Disposable {
  readonly #pixels: Tensor;
  readonly #samples: Tensor;
  readonly #staging: Uint8Array<ArrayBuffer>;
  readonly #records: Uint32Array<ArrayBuffer>;

  /** `capacity` is the most pixels a batch may have in all. */
  constructor(readonly gpu: Gpu, readonly batch: number, capacity: number, readonly preprocess: Preprocess) {
    this.#pixels = createTensor(gpu, "photo pixels", [Math.ceil(capacity / 4) * 4]);
    this.#samples = createTensor(gpu, "photo samples", [batch, SAMPLE_WORDS]);
    this.#staging = new Uint8Array(this.#pixels.length * 4);
    this.#records = new Uint32Array(batch * SAMPLE_WORDS);
  }

  /** Most pixels a batch may have. */
  get capacity(): number {
    return this.#pixels.length;
  }

  /** Records the launch that fills `x` [N, H, W, 3]. */
  build(plan: Plan, x: Tensor): void {
    plan.add(photoInput(this.#pixels, this.#samples, x, this.preprocess));
  }

  /** Uploads 1 to `batch` photos; a short batch repeats its last photo. Throws when they exceed the capacity. */
  write(photos: readonly PlacedPhoto[]): void {
    if (photos.length < 1 || photos.length > this.batch) {
      throw new RangeError(`Cannot upload ${photos.length} photos: the batch holds 1 to ${this.batch}`);
    }
    let at = 0;
    for (let n = 0; n < this.batch; n++) {
      const photo = photos[n];
      if (!photo) {
        this.#records.copyWithin(n * SAMPLE_WORDS, (n - 1) * SAMPLE_WORDS, n * SAMPLE_WORDS);
        continue;
      }
      const { width, height, data, map } = photo;
      if (at + data.length > this.#staging.length) {
        throw new RangeError(
          `Cannot upload ${photos.length} photos: they have more than ${this.capacity} pixels in all`,
        );
      }
      this.#staging.set(data, at);
      const { antialias } = this.preprocess;
      encodeSample({ first: at / 4, width, height, map, antialias }, this.#records, n * SAMPLE_WORDS);
      at += data.length;
    }
    const { queue } = this.gpu.device;
    queue.writeBuffer(this.#pixels.buffer, 0, this.#staging, 0, at);
    queue.writeBuffer(this.#samples.buffer, 0, this.#records);
  }

  [Symbol.dispose](): void {
    destroyTensor(this.gpu, this.#pixels);
    destroyTensor(this.gpu, this.#samples);
  }
}
