/**
 * A data set in device memory: uploaded once, after which a batch is a list of places.
 * @module
 */
import type { PhotoStore } from "../data/dataset/photo_store.ts";
import type { Gpu } from "../engine/gpu.ts";
import type { PhotoSource } from "./photo_source.ts";

/** Values of `--resident`. */
export const RESIDENT = ["auto", "always", "never"] as const;

/** Whether photos are kept in device memory. */
export type Resident = typeof RESIDENT[number];

/** WebGPU does not tell how much memory is free, so "auto" stays below what cards of the last ten years have. */
const AUTO_BYTES = 2 * 2 ** 30;

/** Whether `choice` means to upload these photos. On a software adapter the copy would only double the memory. */
export function wantsResident(choice: Resident, gpu: Gpu, store: PhotoStore): boolean {
  if (choice !== "auto") return choice === "always";
  return gpu.kind !== "cpu" && store.bytes <= AUTO_BYTES;
}

/** The shards of a store on the device. */
export class ResidentPhotos implements Disposable {
  private constructor(readonly gpu: Gpu, readonly buffers: readonly GPUBuffer[]) {}

  /** Uploads every shard; throws `GpuValidationError` where the device has no room, having freed what it took. */
  static async upload(gpu: Gpu, store: PhotoStore): Promise<ResidentPhotos> {
    const buffers: GPUBuffer[] = [];
    try {
      for (const [shard, bytes] of store.shards.entries()) {
        await gpu.guard(`keep ${bytes} bytes of photos on the device`, () => {
          const usage = GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
          const buffer = gpu.createBuffer(`photos ${shard}`, bytes, usage);
          buffers.push(buffer);
          gpu.device.queue.writeBuffer(buffer, 0, store.readShard(shard));
        });
        // What is written waits in host memory until it is submitted: one shard of it at a time.
        await gpu.settle();
      }
    } catch (error) {
      for (const buffer of buffers) gpu.destroyBuffer(buffer);
      throw error;
    }
    return new ResidentPhotos(gpu, buffers);
  }

  /** The photos of `store`, which must be the uploaded store or a selection from it. */
  of({ entries }: PhotoStore): PhotoSource {
    return {
      entries,
      pixels: (index) => {
        const { shard, offset } = entries[index]!;
        return { buffer: this.buffers[shard]!, offset };
      },
    };
  }

  [Symbol.dispose](): void {
    for (const buffer of this.buffers) this.gpu.destroyBuffer(buffer);
  }
}
