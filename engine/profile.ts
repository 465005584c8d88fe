/**
 * Times launches one by one: with GPU timestamps where they work and can be believed, else by the wall clock.
 * @module
 */
import type { Gpu } from "./gpu.ts";
import type { Bound } from "./kernel.ts";

/** Median time of one launch. */
export interface LaunchTime {
  /** The launch's name, `op.entry`. */
  readonly name: string;
  /** The median over the repeats. */
  readonly milliseconds: number;
  /** Where the figure comes from. */
  readonly source: "timestamp" | "wall";
}

/** Runs every launch `repeats + 1` times in passes of its own and returns the median of all but the first. */
export async function profileLaunches(
  gpu: Gpu,
  bound: readonly Bound[],
  repeats: number,
): Promise<LaunchTime[]> {
  const runs: number[][] = bound.map(() => []);
  const stamped = gpu.device.features.has("timestamp-query");
  for (let r = 0; r <= repeats; r++) {
    const times = stamped ? await stamps(gpu, bound) : await wall(gpu, bound);
    if (r > 0) times.forEach((t, i) => runs[i]!.push(t));
  }
  return bound.map(({ launch }, i) => ({
    name: launch.name,
    milliseconds: median(runs[i]!),
    source: stamped ? "timestamp" : "wall",
  }));
}

/** Middle value; the mean of the two middle ones for an even count. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half]! : ((sorted[half - 1] ?? NaN) + (sorted[half] ?? NaN)) / 2;
}

function encode(pass: GPUComputePassEncoder, { pipeline, group, launch }: Bound): void {
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, group);
  pass.dispatchWorkgroups(...launch.grid);
  pass.end();
}

async function stamps(gpu: Gpu, bound: readonly Bound[]): Promise<number[]> {
  const { device } = gpu;
  const count = bound.length * 2;
  const querySet = device.createQuerySet({ type: "timestamp", count });
  const resolve = gpu.createBuffer(
    "timestamps",
    count * 8,
    GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC,
  );
  const back = gpu.createBuffer("timestamps", count * 8, GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ);
  try {
    const encoder = device.createCommandEncoder({ label: "profile" });
    bound.forEach((b, i) => {
      const timestampWrites = {
        querySet,
        beginningOfPassWriteIndex: i * 2,
        endOfPassWriteIndex: i * 2 + 1,
      };
      encode(encoder.beginComputePass({ timestampWrites }), b);
    });
    encoder.resolveQuerySet(querySet, 0, count, resolve, 0);
    encoder.copyBufferToBuffer(resolve, 0, back, 0, count * 8);
    device.queue.submit([encoder.finish()]);
    await back.mapAsync(GPUMapMode.READ);
    gpu.check();
    const ticks = new BigUint64Array(back.getMappedRange());
    return bound.map((_, i) => Number(ticks[i * 2 + 1]! - ticks[i * 2]!) / 1e6);
  } finally {
    querySet.destroy();
    gpu.destroyBuffer(resolve);
    gpu.destroyBuffer(back);
  }
}

async function wall(gpu: Gpu, bound: readonly Bound[]): Promise<number[]> {
  const times: number[] = [];
  for (const b of bound) {
    const encoder = gpu.device.createCommandEncoder({ label: "profile" });
    encode(encoder.beginComputePass(), b);
    const start = performance.now();
    gpu.device.queue.submit([encoder.finish()]);
    await gpu.settle();
    times.push(performance.now() - start);
  }
  return times;
}

/** Where times come from. */
export type Clock = "timestamp" | "wall";

/** How launches are timed. */
export interface TimingOptions {
  readonly repeats: number;
  readonly clock: Clock;
}

/** Milliseconds that launches of the wall clock fill together, so that the wait's own time does not count. */
const WALL_MILLISECONDS = 60;

/** Median milliseconds of each launch over `repeats` runs after a first that is dropped. */
export async function timeLaunches(
  gpu: Gpu,
  bound: readonly Bound[],
  { repeats, clock }: TimingOptions,
): Promise<number[]> {
  if (clock === "timestamp") {
    return (await profileLaunches(gpu, bound, repeats)).map(({ milliseconds }) => milliseconds);
  }
  const idle = await timeBatch(gpu, undefined, 0);
  const times: number[] = [];
  for (const b of bound) {
    await timeBatch(gpu, b, 1);
    const first = Math.max(0.001, await timeBatch(gpu, b, 1) - idle);
    const count = Math.max(1, Math.min(1000, Math.ceil(WALL_MILLISECONDS / first)));
    const runs: number[] = [];
    for (let r = 0; r < repeats; r++) runs.push((await timeBatch(gpu, b, count) - idle) / count);
    times.push(Math.max(0, median(runs)));
  }
  return times;
}

/**
 * Whether the device's timestamps can be believed: WebGPU promises nanoseconds, some drivers count other ticks. `bound` should
 * take some milliseconds.
 */
export async function chooseClock(gpu: Gpu, bound: Bound): Promise<Clock> {
  if (!gpu.device.features.has("timestamp-query")) return "wall";
  const [stamped] = await timeLaunches(gpu, [bound], { repeats: 3, clock: "timestamp" });
  const [walled] = await timeLaunches(gpu, [bound], { repeats: 3, clock: "wall" });
  return clocksAgree(stamped!, walled!) ? "timestamp" : "wall";
}

/** Whether two clocks say about the same: within a factor of two, which other work on the machine may cause. */
export function clocksAgree(stamped: number, walled: number): boolean {
  return stamped > walled / 2 && stamped < walled * 2;
}

async function timeBatch(gpu: Gpu, bound: Bound | undefined, count: number): Promise<number> {
  const encoder = gpu.device.createCommandEncoder({ label: "timing" });
  const pass = encoder.beginComputePass();
  if (bound) {
    pass.setPipeline(bound.pipeline);
    pass.setBindGroup(0, bound.group);
    for (let i = 0; i < count; i++) pass.dispatchWorkgroups(...bound.launch.grid);
  }
  pass.end();
  const start = performance.now();
  gpu.device.queue.submit([encoder.finish()]);
  await gpu.settle();
  return performance.now() - start;
}
