/**
 * Launches: plain data that says which kernel runs on which tensors. `KernelCache` turns them into pipelines
 * and bind groups; it is the only place that creates a compute pipeline.
 * @module
 */
import type { Tensor } from "./tensor.ts";

/** One dispatch of one kernel. */
export interface Launch {
  /** `op.entry`, e.g. `relu.forward`; the part after the dot is the WGSL entry point. */
  readonly name: string;
  /** WGSL source of the module. */
  readonly wgsl: string;
  /** Bound to bindings 0, 1, 2 … of group 0. */
  readonly tensors: readonly Tensor[];
  /** Values of the module's `override`s that the entry point uses. */
  readonly constants: Readonly<Record<string, number>>;
  /** Workgroups in x, y and z. */
  readonly grid: readonly [number, number, number];
}

/** A launch ready to be encoded. */
export interface Bound {
  readonly launch: Launch;
  readonly pipeline: GPUComputePipeline;
  readonly group: GPUBindGroup;
}

/** WebGPU's limit on workgroups in one dimension. */
export const MAX_GROUPS = 65_535;

/** Invocations of a workgroup in element-wise kernels. */
export const ELEMENTWISE_GROUP = 64;

/**
 * Grid and sizes for a kernel that gives each invocation one `vec4` of `count`: a second grid dimension where
 * one is not enough. The kernel computes `id.x + id.y * groups.x * GROUP`.
 */
export function elementwise(
  count: number,
): Pick<Launch, "grid"> & { constants: { SIZE: number; GROUP: number } } {
  const groups = Math.ceil(count / ELEMENTWISE_GROUP);
  const x = Math.min(groups, MAX_GROUPS);
  return {
    grid: [x, Math.ceil(groups / x), 1],
    constants: { SIZE: count, GROUP: ELEMENTWISE_GROUP },
  };
}

/** Changes a launch before it is compiled. */
export type AlterLaunch = (launch: Launch) => Launch;

/** Pipelines by source, entry point and constants; modules by source. */
export class KernelCache {
  readonly #modules = new Map<string, GPUShaderModule>();
  readonly #pipelines = new Map<string, GPUComputePipeline>();

  constructor(readonly device: GPUDevice, readonly alter: AlterLaunch = (launch) => launch) {}

  /** Number of pipelines compiled so far. */
  get size(): number {
    return this.#pipelines.size;
  }

  /** Compiles (or finds) the launch's pipeline and binds its tensors. Errors go to the caller's error scope. */
  bind(asked: Launch): Bound {
    const launch = this.alter(asked);
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
        resource: { buffer: t.buffer, offset: t.offset, size: t.length * 4 },
      })),
    });
    return { launch, pipeline, group };
  }

  #pipeline({ name, wgsl, constants }: Launch): GPUComputePipeline {
    const entryPoint = name.slice(name.lastIndexOf(".") + 1);
    const key = `${entryPoint} ${JSON.stringify(constants)} ${wgsl}`;
    let pipeline = this.#pipelines.get(key);
    if (!pipeline) {
      let module = this.#modules.get(wgsl);
      if (!module) {
        // The label is the file name, so that a driver's "line 12" is a line of that file.
        module = this.device.createShaderModule({ label: `${name.split(".")[0]}.wgsl`, code: wgsl });
        this.#modules.set(wgsl, module);
      }
      pipeline = this.device.createComputePipeline({
        label: name,
        layout: "auto",
        compute: { module, entryPoint, constants: { ...constants } },
      });
      this.#pipelines.set(key, pipeline);
    }
    return pipeline;
  }
}
