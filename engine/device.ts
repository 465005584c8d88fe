/**
 * An opened device: the only place that asks an adapter for one. Everything that can go wrong with a
 * device (lost, out of memory, a validation error nobody waited for) becomes a typed error here. It knows neither Deno nor a browser: who
 * finds the adapter does (`gpu.ts` here, `browser/gpu.ts` in a page).
 * @module
 */
import type { Driver } from "./driver.ts";
import { UserError } from "./errors.ts";
import { KernelCache } from "./kernel.ts";
import { Readback } from "./readback.ts";
import { probeSubgroups, type Subgroups } from "./subgroups.ts";

/** No WebGPU adapter was found. */
export class GpuUnavailableError extends UserError {
  /** The class's name. */
  override readonly name = "GpuUnavailableError";
}

/** The device was lost (driver reset, out of memory, unplugged, or disposed while in use). */
export class GpuLostError extends UserError {
  /** The class's name. */
  override readonly name = "GpuLostError";
}

/** WebGPU refused a call; the message names the launch or tensor. */
export class GpuValidationError extends UserError {
  /** The class's name. */
  override readonly name = "GpuValidationError";
}

/** Kinds of adapter that want different tiles. */
export type AdapterKind = "cpu" | "discrete" | "other";

/** What is done to a kernel before it is ready, as the start of a sentence: pipelines are made, and then run for the first time. */
export type CompileStage = "Translating" | "Compiling";

/** What `Gpu.request` may be told. */
export interface GpuOptions {
  /** Ask for nothing beyond the limits every WebGPU implementation has; used to test small adapters. */
  readonly minimumLimits?: boolean;
  /** Do without subgroup operations even where they work. */
  readonly noSubgroups?: boolean;
  /**
   * Called while kernels become ready, with what is done to them and how many are through: while a plan compiles, and while they run for
   * the first time (see `submitFirst`), since it depends on the driver which of the two takes long.
   */
  readonly onCompile?: ((what: CompileStage, done: number, total: number) => void) | undefined;
}

/** The limits worth asking for: those that bound tensor sizes and workgroups. */
const WANTED_LIMITS = [
  "maxBufferSize",
  "maxStorageBufferBindingSize",
  "maxStorageBuffersPerShaderStage",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupSizeX",
  "maxComputeWorkgroupStorageSize",
] as const;

/** A WebGPU device with its adapter's real limits. Dispose of it to release the device. */
export class Gpu implements Disposable {
  /** Lanes of a subgroup in a one-dimensional workgroup, or 0 where subgroups cannot be used. */
  readonly subgroupSize: number;
  /** Compiled pipelines, shared by all plans on this device. */
  readonly kernels: KernelCache;
  /** Settles with the reason when the device is lost; never rejects. */
  readonly lost: Promise<GpuLostError>;
  #lostError: GpuLostError | undefined;
  #uncaptured: GpuValidationError | undefined;
  #bytes = 0;
  #disposed = false;

  /** The device itself. */
  readonly device: GPUDevice;
  /** What it was asked of. */
  readonly adapter: GPUAdapter;
  /** Brings results back. */
  readonly readback: Readback;
  /** Which driver answers, as far as that is known: WebGPU itself does not tell. */
  readonly driver: Driver;
  /** Hears how far kernels are that become ready. */
  readonly onCompile: GpuOptions["onCompile"];

  /** For whoever finds the adapter: a subclass that opens one. */
  protected constructor({ device, adapter, subgroups, readback, driver, onCompile }: DeviceParts) {
    this.device = device;
    this.adapter = adapter;
    this.readback = readback;
    this.driver = driver;
    this.onCompile = onCompile;
    this.subgroupSize = subgroups.lanes;
    this.kernels = new KernelCache(device, subgroups.directive);
    this.lost = device.lost.then((info) => {
      this.#lostError = new GpuLostError(`The GPU device was lost: ${info.message || info.reason}`);
      return this.#lostError;
    });
    device.addEventListener("uncapturederror", (event) => {
      event.preventDefault();
      this.#uncaptured ??= new GpuValidationError(
        `WebGPU reported: ${(event as GPUUncapturedErrorEvent).error.message}`,
      );
    });
  }

  /** Name of the adapter, e.g. `llvmpipe (LLVM 15.0.6, 256 bits)`. */
  get name(): string {
    return nameOf(this.adapter);
  }

  /** Which family of tiles suits this adapter. */
  get kind(): AdapterKind {
    return kindOf(this.name, this.adapter.info.vendor, this.adapter.info.architecture);
  }

  /** The device's limits. */
  get limits(): GPUSupportedLimits {
    return this.device.limits;
  }

  /** Bytes held in buffers made by `createBuffer` and not yet destroyed. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Makes a labelled buffer and counts it; throws `GpuValidationError` beyond the device's limit. */
  createBuffer(label: string, bytes: number, usage: GPUBufferUsageFlags): GPUBuffer {
    this.check();
    const size = Math.max(16, Math.ceil(bytes / 4) * 4);
    if (size > this.limits.maxBufferSize) {
      throw new GpuValidationError(
        `Cannot create buffer ${label}: it needs ${size} bytes, this device allows ${this.limits.maxBufferSize}`,
      );
    }
    this.#bytes += size;
    return this.device.createBuffer({ label, size, usage });
  }

  /** Destroys a buffer made by `createBuffer` and stops counting it. */
  destroyBuffer(buffer: GPUBuffer): void {
    this.#bytes -= buffer.size;
    buffer.destroy();
  }

  /** Throws what the device has reported since it was opened: its loss or an uncaptured error. */
  check(): void {
    if (this.#disposed) throw new GpuLostError("Cannot use the GPU: it was disposed");
    if (this.#lostError) throw this.#lostError;
    if (this.#uncaptured) throw this.#uncaptured;
  }

  /** Runs `work` and rethrows the first validation or out-of-memory error it caused, with `what` before it. */
  async guard<T>(what: string, work: () => T | Promise<T>): Promise<T> {
    this.check();
    this.device.pushErrorScope("out-of-memory");
    this.device.pushErrorScope("validation");
    let result: T;
    try {
      result = await work();
    } finally {
      const validation = await this.device.popErrorScope();
      const memory = await this.device.popErrorScope();
      const error = validation ?? memory;
      // deno-lint-ignore no-unsafe-finally -- the device's own message explains the failure better
      if (error) throw new GpuValidationError(`Cannot ${what}: ${error.message}`);
    }
    return result;
  }

  /** Waits until everything submitted has finished. Blocks the thread in Deno, so use it rarely. */
  async settle(): Promise<void> {
    this.check();
    await this.readback.settle();
    this.check();
  }

  /** Releases the device; whatever runs on it fails from then on. */
  [Symbol.dispose](): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.device.destroy();
  }
}

/** What a device is made of. */
export interface DeviceParts extends Pick<GpuOptions, "onCompile"> {
  /** The device itself. */
  readonly device: GPUDevice;
  /** What it was asked of. */
  readonly adapter: GPUAdapter;
  /** How it does subgroup operations. */
  readonly subgroups: Subgroups;
  /** Brings results back. */
  readonly readback: Readback;
  /** What is known of its driver. */
  readonly driver: Driver;
}

/** Opens an adapter's device, with subgroup operations where they work. Throws what the adapter does where it gives none. */
export async function openDevice(
  adapter: GPUAdapter,
  driver: Driver,
  options: GpuOptions = {},
): Promise<DeviceParts> {
  const requiredLimits: Record<string, number> = {};
  if (!options.minimumLimits) {
    for (const name of WANTED_LIMITS) requiredLimits[name] = adapter.limits[name];
  }
  const optional: GPUFeatureName[] = ["timestamp-query", "shader-f16"];
  const listed = optional.filter((name) => adapter.features.has(name));
  const open = (requiredFeatures: GPUFeatureName[]) =>
    adapter.requestDevice({ label: "alexnet-webgpu", requiredFeatures, requiredLimits });
  // Deno grants subgroups without listing them, so ask first and fall back.
  const device = await open([...listed, "subgroups" as GPUFeatureName]).catch(() => open(listed));
  const subgroups = options.noSubgroups ? { lanes: 0, directive: "" } : await probeSubgroups(device);
  const readback = await Readback.create(device);
  return { device, adapter, subgroups, readback, driver, onCompile: options.onCompile };
}

/** An adapter's name, e.g. `llvmpipe (LLVM 15.0.6, 256 bits)`; browsers tell little more than a vendor and a family. */
export function nameOf({ info }: GPUAdapter): string {
  const { description, vendor, architecture, device } = info;
  return description || `${vendor} ${architecture}`.trim() || device || "unknown adapter";
}

/** Which kind of adapter has this name, vendor and architecture; browsers name SwiftShader in the last one alone. */
export function kindOf(name: string, vendor: string, architecture = ""): AdapterKind {
  if (/llvmpipe|lavapipe|swiftshader|software/i.test(`${name} ${architecture}`)) return "cpu";
  return /nvidia|geforce|radeon|amd|tesla|quadro|rtx/i.test(`${name} ${vendor}`) ? "discrete" : "other";
}
