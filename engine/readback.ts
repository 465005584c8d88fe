/**
 * Small reads of device memory without the runtime's polling interval.
 *
 * Deno's `mapAsync` waits for the device inside the call and then sleeps 10 ms before its promise resolves. The memory is mapped as soon
 * as the call returns, so it is read then. A runtime that maps later throws at that point, and the promise is awaited instead.
 * @module
 */

/** Reads of up to this many bytes take the short way; for larger ones the copy outweighs the sleep. */
export const READBACK_BYTES = 2 ** 20;

/** A mapped buffer that is kept, so that reading needs no new memory. */
export class Readback {
  readonly #staging: GPUBuffer;
  /** The read that waits for its promise. */
  #waiting: Promise<void> | undefined;

  private constructor(readonly device: GPUDevice) {
    const usage = GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ;
    this.#staging = device.createBuffer({ label: "readback", size: READBACK_BYTES, usage });
  }

  /** Makes the buffer and maps it once: Deno aborts when a buffer is read that no promise has ever mapped. */
  static async create(device: GPUDevice): Promise<Readback> {
    const readback = new Readback(device);
    await readback.#staging.mapAsync(GPUMapMode.READ, 0, 4);
    readback.#staging.getMappedRange(0, 4);
    readback.#staging.unmap();
    return readback;
  }

  /**
   * Submits the copies that `record` records into the buffer it gets, waits for the device and returns the first `size` bytes, a
   * positive multiple of 4 up to `READBACK_BYTES`.
   */
  async read(
    size: number,
    record: (encoder: GPUCommandEncoder, to: GPUBuffer) => void,
  ): Promise<ArrayBuffer> {
    while (this.#waiting) await this.#waiting.catch(() => {}); // its own caller hears of an error
    const encoder = this.device.createCommandEncoder({ label: "readback" });
    record(encoder, this.#staging);
    this.device.queue.submit([encoder.finish()]);
    const mapped = this.#staging.mapAsync(GPUMapMode.READ, 0, size);
    let bytes: ArrayBuffer;
    try {
      bytes = this.#take(size);
      mapped.catch(() => {}); // it can only tell what is known by now
    } catch {
      this.#waiting = mapped;
      try {
        await mapped;
        bytes = this.#take(size);
      } finally {
        this.#waiting = undefined;
      }
    }
    return bytes;
  }

  /** Waits until everything submitted has finished. */
  async settle(): Promise<void> {
    await this.read(4, (encoder, to) => encoder.clearBuffer(to, 0, 4));
  }

  #take(size: number): ArrayBuffer {
    const bytes = this.#staging.getMappedRange(0, size).slice(0);
    this.#staging.unmap();
    return bytes;
  }
}
