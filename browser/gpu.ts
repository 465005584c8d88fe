/**
 * The device as a page or a Worker of it opens it.
 * @module
 */
import { Gpu as OpenedGpu, type GpuOptions, GpuUnavailableError, openDevice } from "../engine/device.ts";

/** A browser tells nothing of its driver. */
const DRIVER = { from: "system", name: "the browser's", reason: "", processor: "" } as const;

/** A WebGPU device with its adapter's real limits. Dispose of it to release the device. */
export class Gpu extends OpenedGpu {
  /** Opens the visitor's default adapter; throws `GpuUnavailableError` where the browser has no WebGPU or finds no adapter. */
  static async request(options: GpuOptions = {}): Promise<Gpu> {
    // Its type says that it is always there; browsers without it, and pages of insecure origins, have none.
    const gpu: GPU | undefined = navigator.gpu;
    if (gpu === undefined) {
      throw new GpuUnavailableError(
        (globalThis as { isSecureContext?: boolean }).isSecureContext
          ? "This browser has no WebGPU"
          : "There is no WebGPU on this page: browsers offer it over HTTPS and on localhost alone",
      );
    }
    const adapter = await gpu.requestAdapter({ powerPreference: "high-performance" });
    if (!adapter) throw new GpuUnavailableError("This browser finds no graphics adapter for WebGPU");
    return new Gpu(await openDevice(adapter, DRIVER, options));
  }
}
