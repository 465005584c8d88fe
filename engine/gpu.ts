/**
 * The device as Deno opens it: the driver that setup chose, and Vulkan before OpenGL.
 * @module
 */
import { Gpu as OpenedGpu, type GpuOptions, GpuUnavailableError, openDevice } from "./device.ts";
import { type Driver, useDriver } from "./driver.ts";
import { openWebGpu } from "./implementation.ts";

export {
  type AdapterKind,
  type CompileStage,
  GpuLostError,
  type GpuOptions,
  GpuUnavailableError,
  GpuValidationError,
  kindOf,
  nameOf,
} from "./device.ts";

/** A WebGPU device with its adapter's real limits. Dispose of it to release the device. */
export class Gpu extends OpenedGpu {
  /** Opens the default adapter; throws `GpuUnavailableError` where there is none. */
  static async request(options: GpuOptions = {}): Promise<Gpu> {
    const { adapter, driver } = await findAdapter();
    if (!adapter) {
      throw new GpuUnavailableError(
        "Cannot find a WebGPU adapter: no Vulkan, Metal or DirectX 12 driver answered; `deno task setup` says what is missing",
      );
    }
    return new Gpu(await openDevice(adapter, driver, options));
  }
}

/** The environment's choice of what WebGPU may stand on: `vulkan`, `gl` … */
export const BACKEND = "DENO_WEBGPU_BACKEND";

/**
 * The default adapter, or null, of the driver that setup chose. On Linux of Vulkan alone, unless the environment names a backend: Deno
 * falls back to OpenGL, whose drivers take minutes to compile a network that takes a second on Vulkan, so whoever gets it takes it for
 * hanging.
 */
export async function requestAdapter(): Promise<GPUAdapter | null> {
  return (await findAdapter()).adapter;
}

async function findAdapter(): Promise<{ adapter: GPUAdapter | null; driver: Driver }> {
  silenceRuntimeDirNotice();
  const driver = useDriver();
  // Deno reads it when the first adapter is asked for.
  if (Deno.build.os === "linux" && mayUse(BACKEND) && !Deno.env.has(BACKEND)) Deno.env.set(BACKEND, "vulkan");
  const gpu = await openWebGpu();
  return { adapter: await gpu?.requestAdapter({ powerPreference: "high-performance" }) ?? null, driver };
}

/** Without the permission things stay as they are; nothing depends on it, so nobody is asked for it. */
function mayUse(variable: string): boolean {
  return Deno.permissions.querySync({ name: "env", variable }).state === "granted";
}

/**
 * Mesa's Vulkan drivers print an error on every adapter request when XDG_RUNTIME_DIR is unset, as it is in
 * containers. They only look whether it is set, so any existing folder quiets them.
 */
export function silenceRuntimeDirNotice(): void {
  const variable = "XDG_RUNTIME_DIR";
  if (Deno.build.os === "linux" && mayUse(variable) && !Deno.env.get(variable)) {
    Deno.env.set(variable, "/tmp");
  }
}
