/**
 * Launches: plain data that says which kernel runs on which tensors. `KernelCache` turns them into pipelines
 * and bind groups; it is the only place that creates a compute pipeline.
 * @module
 */

/** A range of a buffer that a launch binds, in bytes; a `Tensor` is one. */
export interface Bindable {
  /** The buffer that is bound. */
  readonly buffer: GPUBuffer;
  /** First byte of the range, a multiple of the device's storage offset alignment. */
  readonly offset: number;
  /** Bytes of the range. */
  readonly bytes: number;
}

/** One dispatch of one kernel. */
export interface Launch {
  /** `op.entry`, e.g. `relu.forward`; the part after the dot is the WGSL entry point. */
  readonly name: string;
  /** WGSL source of the module. */
  readonly wgsl: string;
  /** Buffer ranges bound to bindings 0, 1, 2 … of group 0. */
  readonly tensors: readonly Bindable[];
  /** Values of the module's `override`s that the entry point uses. */
  readonly constants: Readonly<Record<string, number>>;
  /** Workgroups in x, y and z. */
  readonly grid: readonly [number, number, number];
}

/** A launch ready to be encoded. */
export interface Bound {
  /** What it was made from. */
  readonly launch: Launch;
  /** The compiled kernel. */
  readonly pipeline: GPUComputePipeline;
  /** The bound buffers. */
  readonly group: GPUBindGroup;
}

/** WebGPU's limit on workgroups in one dimension. */
export const MAX_GROUPS = 65_535;

/** A launch's finished kernel as a text to read: what it is asked for, then the whole module. */
export function kernelText({ name, wgsl, constants, grid }: Launch): string {
  const values = Object.entries(constants).map(([key, value]) => `${key} = ${value}`).join(", ");
  return `// ${name}: ${grid.join(" x ")} workgroups\n// ${values}\n\n${wgsl.trim()}\n`;
}

/** Pipelines by source, entry point and constants; modules by source. */
export class KernelCache {
  readonly #modules = new Map<string, GPUShaderModule>();
  readonly #pipelines = new Map<string, GPUComputePipeline>();

  /** An empty cache for one device; `subgroups` is what a module that uses subgroup operations begins with. */
  constructor(readonly device: GPUDevice, readonly subgroups = "") {}

  /** Every launch that a pipeline was compiled for, in that order: `--dump-wgsl` writes their text. */
  readonly compiled: Launch[] = [];

  /** Pipelines that a device has run; software drivers translate a kernel at its first run and not when it is compiled. */
  readonly ran: Set<GPUComputePipeline> = new Set();

  /** Forgets every pipeline, so that the next `bind` compiles again. */
  clear(): void {
    this.#modules.clear();
    this.#pipelines.clear();
    this.ran.clear();
    this.compiled.length = 0;
  }

  /** Number of pipelines compiled so far. */
  get size(): number {
    return this.#pipelines.size;
  }

  /** Compiles (or finds) the launch's pipeline and binds its tensors. Errors go to the caller's error scope. */
  bind(launch: Launch): Bound {
    const tooLarge = launch.grid.find((n) => n > MAX_GROUPS || n < 1 || !Number.isInteger(n));
    if (tooLarge !== undefined) {
      throw new RangeError(
        `Cannot launch ${launch.name}: its grid is [${launch.grid}], wanted 1 to ${MAX_GROUPS} each`,
      );
    }
    const pipeline = this.#pipeline(launch);
    const group = this.device.createBindGroup({
      label: launch.name,
      layout: pipeline.getBindGroupLayout(0),
      entries: launch.tensors.map((t, binding) => ({
        binding,
        resource: { buffer: t.buffer, offset: t.offset, size: t.bytes },
      })),
    });
    return { launch, pipeline, group };
  }

  /** How many pipelines these launches need that are not there yet. */
  missing(launches: readonly Launch[]): number {
    return new Set(launches.map(keyOf).filter((key) => !this.#pipelines.has(key))).size;
  }

  #pipeline(launch: Launch): GPUComputePipeline {
    const { name, wgsl, constants } = launch, key = keyOf(launch);
    let pipeline = this.#pipelines.get(key);
    if (!pipeline) {
      let module = this.#modules.get(wgsl);
      if (!module) {
        // The label is the file name, so that a driver's "line 12" is a line of that file.
        const code = /\bsubgroup/.test(wgsl) ? this.subgroups + wgsl : wgsl;
        module = this.device.createShaderModule({ label: `${name.split(".")[0]}.wgsl`, code });
        this.#modules.set(wgsl, module);
      }
      pipeline = this.device.createComputePipeline({
        label: name,
        layout: "auto",
        compute: { module, entryPoint: entryPointOf(launch), constants: { ...constants } },
      });
      this.#pipelines.set(key, pipeline);
      this.compiled.push(launch);
    }
    return pipeline;
  }
}

function entryPointOf({ name }: Launch): string {
  return name.slice(name.lastIndexOf(".") + 1);
}

/** Launches with one key share a pipeline. */
function keyOf(launch: Launch): string {
  return `${entryPointOf(launch)} ${JSON.stringify(launch.constants)} ${launch.wgsl}`;
}
