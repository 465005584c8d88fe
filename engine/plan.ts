/**
 * A plan: a fixed list of launches and the tensors they use, built once and replayed each step as one
 * command encoder, one compute pass, one submit.
 * @module
 */
import { type Gpu, GpuValidationError } from "./device.ts";
import type { Bound, Launch } from "./kernel.ts";
import { type AnyTensor, createTensor, destroyTensor, type Tensor } from "./tensor.ts";
import { type LaunchTime, profileLaunches } from "./profile.ts";

/** Lets others use the device: whoever does much at a time calls it between two steps, outside any error scope. */
export type Pause = () => Promise<void>;

/** Launches in order, and ownership of the tensors made with `tensor`. Dispose of it to free them all. */
export class Plan implements Disposable {
  /** What runs, in this order. */
  readonly launches: Launch[] = [];
  readonly #tensors: AnyTensor[] = [];
  #bound: Bound[] | undefined;
  #disposed = false;
  /** False for good once every kernel has run: it is asked at every step. */
  #fresh = true;

  /** An empty plan; `label` names it in errors. */
  constructor(readonly gpu: Gpu, readonly label: string) {}

  /** A new zero-filled tensor that lives as long as the plan. */
  tensor(shape: readonly number[], label = `${this.label}.${this.#tensors.length}`): Tensor {
    const tensor = createTensor(this.gpu, label, shape);
    this.#tensors.push(tensor);
    return tensor;
  }

  /** A new zero-filled tensor of u32 that lives as long as the plan. */
  integers(shape: readonly number[], label = `${this.label}.${this.#tensors.length}`): Tensor<"u32"> {
    const tensor = createTensor(this.gpu, label, shape, "u32");
    this.#tensors.push(tensor);
    return tensor;
  }

  /** Appends launches; they run in this order. */
  add(...launches: readonly Launch[]): void {
    if (this.#bound) throw new GpuValidationError(`Cannot add to plan ${this.label}: it is already compiled`);
    this.launches.push(...launches);
  }

  /** Bytes of device memory the plan's own tensors take. */
  get bytes(): number {
    return this.#tensors.reduce((sum, t) => sum + t.bytes, 0);
  }

  /** Compiles every launch, with a `pause` after each. Throws `GpuValidationError` naming the launch that WebGPU refuses. */
  async compile(pause?: Pause): Promise<this> {
    if (this.#disposed) throw new GpuValidationError(`Cannot compile plan ${this.label}: it was disposed`);
    if (this.#bound) return this;
    for (const launch of pause ? this.launches : []) {
      // Its pipeline is kept; what is refused is told below.
      await this.gpu.guard(`compile ${launch.name}`, () => this.gpu.kernels.bind(launch)).catch(() => {});
      await pause!();
    }
    const { kernels, onCompile } = this.gpu;
    const total = kernels.size + kernels.missing(this.launches);
    const bind = () =>
      this.launches.map((launch) => {
        const before = kernels.size, bound = kernels.bind(launch);
        if (kernels.size > before) onCompile?.("Translating", kernels.size, total);
        return bound;
      });
    try {
      this.#bound = await this.gpu.guard(`compile plan ${this.label}`, bind);
    } catch (error) {
      // Once more one by one, with nothing cached, only to name the culprit and to show the lines that were refused.
      this.gpu.kernels.clear();
      for (const launch of this.launches) {
        try {
          await this.gpu.guard(`compile ${launch.name}`, () => this.gpu.kernels.bind(launch));
        } catch (culprit) {
          throw new GpuValidationError(withSourceLines((culprit as Error).message, launch));
        }
      }
      throw error;
    }
    return this;
  }

  /** The compiled launches; throws before `compile`. */
  get bound(): readonly Bound[] {
    if (!this.#bound) throw new GpuValidationError(`Cannot run plan ${this.label}: it is not compiled`);
    return this.#bound;
  }

  /** Submits the plan once. Returns without waiting for the device. */
  run(): void {
    submit(this.gpu, [this]);
  }

  /** Runs the launches one by one, with a `pause` after each has finished: drivers translate a kernel at its first run. */
  async runInSteps(pause: Pause): Promise<void> {
    for (const bound of this.bound) {
      submitAll(this.gpu, this.label, [bound]);
      await this.gpu.settle();
      await pause();
    }
  }

  /** Whether a kernel of it has not run yet; throws before `compile`. */
  get fresh(): boolean {
    const { ran } = this.gpu.kernels;
    return this.#fresh &&= this.bound.some(({ pipeline }) => !ran.has(pipeline));
  }

  /** Runs each launch in a pass of its own and times it; see `profileLaunches`. */
  profile(repeats = 5): Promise<LaunchTime[]> {
    return profileLaunches(this.gpu, this.bound, repeats);
  }

  /** Frees the plan's tensors. */
  [Symbol.dispose](): void {
    if (this.#disposed) return;
    this.#disposed = true;
    for (const tensor of this.#tensors) destroyTensor(this.gpu, tensor);
    this.#tensors.length = 0;
    this.#bound = undefined;
  }
}

/** A driver's message with the lines of the finished kernel around the place it names, since cores are generated. */
export function withSourceLines(message: string, { name, wgsl }: Pick<Launch, "name" | "wgsl">): string {
  const place = /:(\d+):\d+/.exec(message);
  if (!place) return message;
  const at = Number(place[1]), lines = wgsl.split("\n");
  const first = Math.max(1, at - 3), last = Math.min(lines.length, at + 3);
  const shown = lines.slice(first - 1, last).map((line, i) =>
    `${first + i === at ? ">" : " "} ${`${first + i}`.padStart(4)} | ${line}`
  );
  return [message.trimEnd(), `Lines ${first} to ${last} of the kernel ${name}:`, ...shown].join("\n");
}

/** Runs several plans, in order, as one command encoder, one compute pass, one submit; `before` may record copies. */
export function submit(
  gpu: Gpu,
  plans: readonly Plan[],
  before?: (encoder: GPUCommandEncoder) => void,
): void {
  submitAll(gpu, plans[0]?.label ?? "empty", plans.flatMap((plan) => plan.bound), before);
}

/** Milliseconds that a group of first runs should take: long beside the 11 that waiting for it costs, short for who watches. */
const GROUP_MS = 500;

/** Kernels in the first group: where the driver kept them from another day, few more waits follow. */
const FIRST_GROUP = 4;

/**
 * As `submit`, and waits for the device where kernels run for the first time: in groups of a few, so that `Gpu.onCompile` hears how far
 * they are. A software driver translates a kernel only then, which takes most of a cold start.
 */
export async function submitFirst(
  gpu: Gpu,
  plans: readonly Plan[],
  before?: (encoder: GPUCommandEncoder) => void,
): Promise<void> {
  if (plans.every((plan) => !plan.fresh)) return submit(gpu, plans, before);
  const { ran } = gpu.kernels, bound = plans.flatMap((plan) => plan.bound);
  const starts: number[] = [];
  const met = new Set(ran);
  for (const [at, { pipeline }] of bound.entries()) {
    if (!met.has(pipeline)) starts.push(at);
    met.add(pipeline);
  }
  let size = FIRST_GROUP;
  for (let next = 0; next < starts.length;) {
    const from = next === 0 ? 0 : starts[next]!, count = Math.round(size);
    next += count;
    const started = performance.now();
    submitAll(gpu, plans[0]!.label, bound.slice(from, starts[next]), from === 0 ? before : undefined);
    await gpu.settle();
    const wanted = size * GROUP_MS / (performance.now() - started);
    size = Math.min(Math.max(1, wanted), 4 * size);
    gpu.onCompile?.("Compiling", ran.size, gpu.kernels.size);
  }
}

function submitAll(
  gpu: Gpu,
  label: string,
  bound: readonly Bound[],
  before?: (encoder: GPUCommandEncoder) => void,
): void {
  gpu.check();
  const encoder = gpu.device.createCommandEncoder({ label });
  before?.(encoder);
  const pass = encoder.beginComputePass();
  for (const { pipeline, group, launch } of bound) {
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    pass.dispatchWorkgroups(...launch.grid);
    gpu.kernels.ran.add(pipeline);
  }
  pass.end();
  gpu.device.queue.submit([encoder.finish()]);
}
