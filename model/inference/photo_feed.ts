/**
 * Brings photos to the device: pixels and sample records of one batch, which one launch turns into the input.
 * @module
 */
import type { Gpu } from "../../engine/device.ts";
import { encodeSample, photosToInput, SAMPLE_WORDS } from "../../engine/kernels/preprocess/preprocess.ts";
import type { Plan } from "../../engine/plan.ts";
import { createTensor, destroyTensor, type Tensor } from "../../engine/tensor.ts";
import type { Affine } from "../../data/augment.ts";
import type { ColourMatrix, ErasedBox } from "../../data/jitter.ts";
import type { Preprocess, Size } from "../../data/preprocess.ts";

/** A photo's bytes that lie on the device already: from `offset` on, a multiple of 4. */
export interface DevicePixels {
  /** The buffer that holds them. */
  readonly buffer: GPUBuffer;
  /** First byte, a multiple of 4. */
  readonly offset: number;
}

/**
 * A photo's RGBA bytes, width * height * 4 of them: an array, a function that fills one of that length, or a place on
 * the device. A function saves an array per photo and step.
 */
export type Pixels = Uint8Array | ((target: Uint8Array) => void) | DevicePixels;

/** One photo of a batch and the map that places it in the input. */
export interface PlacedPhoto extends Size {
  /** Its bytes. */
  readonly data: Pixels;
  /** From output to source pixels. */
  readonly map: Affine;
  /** What becomes of its colours; absent: nothing. */
  readonly colour?: ColourMatrix | undefined;
  /** What of the input is erased; absent: nothing. */
  readonly erase?: ErasedBox | undefined;
}

/** Device buffers for the photos of one batch. */
export class PhotoFeed implements Disposable {
  readonly #pixels: Tensor<"u32">;
  readonly #samples: Tensor<"u32">;
  readonly #records: Uint32Array<ArrayBuffer>;
  /** Made with the first photo that has to be uploaded. */
  #staging: Uint8Array<ArrayBuffer> | undefined;
  #copies: (DevicePixels & { readonly at: number; readonly bytes: number })[] = [];

  /** `capacity` is the most pixels a batch may have in all. */
  constructor(
    readonly gpu: Gpu,
    readonly batch: number,
    readonly capacity: number,
    readonly preprocess: Preprocess,
  ) {
    // Each photo begins at a multiple of four pixels: the kernel loads four at a time.
    this.#pixels = createTensor(gpu, "photo pixels", [Math.ceil(capacity / 4 + batch) * 4], "u32");
    this.#samples = createTensor(gpu, "photo samples", [batch, SAMPLE_WORDS], "u32");
    this.#records = new Uint32Array(batch * SAMPLE_WORDS);
  }

  /** Records the launch that fills `x` [N, H, W, 3]. */
  build(plan: Plan, x: Tensor): void {
    photosToInput(plan, { pixels: this.#pixels, samples: this.#samples, y: x }, this.preprocess);
  }

  /**
   * Uploads 1 to `batch` photos; a short batch repeats its last photo. Throws when they exceed the capacity. Photos on the
   * device are copied by `encode`, which the same submission must call before its launches.
   */
  write(photos: readonly PlacedPhoto[]): void {
    if (photos.length < 1 || photos.length > this.batch) {
      throw new RangeError(`Cannot upload ${photos.length} photos: the batch holds 1 to ${this.batch}`);
    }
    this.#copies = [];
    if (photos.reduce((sum, { width, height }) => sum + width * height, 0) > this.capacity) {
      throw new RangeError(
        `Cannot upload ${photos.length} photos: they have more than ${this.capacity} pixels in all`,
      );
    }
    let at = 0, uploaded = 0;
    for (let n = 0; n < this.batch; n++) {
      const photo = photos[n];
      if (!photo) {
        this.#records.copyWithin(n * SAMPLE_WORDS, (n - 1) * SAMPLE_WORDS, n * SAMPLE_WORDS);
        continue;
      }
      const { width, height, map, colour, erase } = photo;
      const bytes = width * height * 4;
      if (this.#stage(photo, at, bytes)) uploaded = at + bytes;
      const { antialias } = this.preprocess;
      const sample = { first: at / 4, width, height, map, antialias, colour, erase };
      encodeSample(sample, this.#records, n * SAMPLE_WORDS);
      at = Math.ceil((at + bytes) / 16) * 16;
    }
    const { queue } = this.gpu.device;
    if (uploaded > 0) queue.writeBuffer(this.#pixels.buffer, 0, this.#staging!, 0, uploaded);
    queue.writeBuffer(this.#samples.buffer, 0, this.#records);
  }

  /** Records the copies of the photos that lie on the device. */
  encode(encoder: GPUCommandEncoder): void {
    for (const { buffer, offset, at, bytes } of this.#copies) {
      encoder.copyBufferToBuffer(buffer, offset, this.#pixels.buffer, at, bytes);
    }
  }

  /** Puts a photo's bytes where the upload takes them from; false if they are on the device. */
  #stage({ data, width, height }: PlacedPhoto, at: number, bytes: number): boolean {
    if ("buffer" in data && !(data instanceof Uint8Array)) {
      this.#copies.push({ ...data, at, bytes });
      return false;
    }
    this.#staging ??= new Uint8Array(this.#pixels.length * 4);
    const target = this.#staging.subarray(at, at + bytes);
    if (typeof data === "function") {
      data(target);
    } else if (data.length === bytes) {
      target.set(data);
    } else {
      throw new RangeError(
        `Cannot upload a photo of ${width}x${height}: got ${data.length} bytes, wanted ${bytes}`,
      );
    }
    return true;
  }

  /** Frees the buffers. */
  [Symbol.dispose](): void {
    destroyTensor(this.gpu, this.#pixels);
    destroyTensor(this.gpu, this.#samples);
  }
}
