/**
 * Times launches one by one: with GPU timestamps where they work and can be believed, else by the wall clock.
 * @module
 */
import type { Gpu } from "./device.ts";
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

/**
 * What a launch runs for, over and over, while a GPU's timestamps tell its time, in milliseconds: one that idles between short launches
 * lowers its clock (on an H200 launches timed apart took five times as long as in a step), and in a training step it does not idle.
 */
const BUSY_MILLISECONDS = 5;

/** How often the GPU runs all of that before anything counts, for the same reason: 60 ms of it at least. */
const warmRuns = (launches: number) => Math.ceil(60 / (launches * BUSY_MILLISECONDS));

/** Most launches in one pass, and how much more often than the time before; a clock may tell too little of a short launch, or nothing. */
const MOST = 1000, GROWTH = 10;

/**
 * Runs every launch in passes of its own and returns the median of `repeats` runs after a first that is dropped. With
 * `keepBusy`, as GPUs want it, a pass holds as many launches as fill some milliseconds.
 */
export async function profileLaunches(
  gpu: Gpu,
  bound: readonly Bound[],
  repeats: number,
  keepBusy = gpu.kind !== "cpu",
): Promise<LaunchTime[]> {
  const runs: number[][] = bound.map(() => []);
  const stamped = gpu.device.features.has("timestamp-query");
  const counts = stamped && keepBusy ? await busyCounts(gpu, bound) : bound.map(() => 1);
  for (let r = 0; r <= repeats; r++) {
    const times = stamped ? await stamps(gpu, bound, counts) : await wall(gpu, bound);
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

function encode(pass: GPUComputePassEncoder, { pipeline, group, launch }: Bound, count = 1): void {
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, group);
  for (let i = 0; i < count; i++) pass.dispatchWorkgroups(...launch.grid);
  pass.end();
}

/** How many of each launch fill `BUSY_MILLISECONDS`; leaves the GPU at the clock that it works at. */
async function busyCounts(gpu: Gpu, bound: readonly Bound[]): Promise<number[]> {
  let counts = bound.map(() => 1);
  const refine = async () => {
    const times = await stamps(gpu, bound, counts);
    counts = counts.map((count, i) => nextCount(count, times[i]!));
  };
  while (Math.max(...counts) < MOST) {
    const before = counts;
    await refine();
    if (counts.every((count, i) => count < 2 * before[i]!)) break;
  }
  for (let run = warmRuns(bound.length); run > 0; run--) await refine();
  return counts;
}

/** How many launches of so many milliseconds fill a pass, where `count` were timed. */
export function nextCount(count: number, milliseconds: number): number {
  return Math.max(1, Math.min(MOST, GROWTH * count, Math.ceil(BUSY_MILLISECONDS / milliseconds)));
}

/** Milliseconds of one of each, of `counts` in a pass. */
async function stamps(gpu: Gpu, bound: readonly Bound[], counts: readonly number[]): Promise<number[]> {
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
      encode(encoder.beginComputePass({ timestampWrites }), b, counts[i]);
    });
    encoder.resolveQuerySet(querySet, 0, count, resolve, 0);
    encoder.copyBufferToBuffer(resolve, 0, back, 0, count * 8);
    device.queue.submit([encoder.finish()]);
    await back.mapAsync(GPUMapMode.READ);
    gpu.check();
    return timesFrom(new BigUint64Array(back.getMappedRange()), counts);
  } finally {
    querySet.destroy();
    gpu.destroyBuffer(resolve);
    gpu.destroyBuffer(back);
  }
}

/** Milliseconds of one launch from the nanoseconds at which each pass, of `counts` launches, began and ended. */
export function timesFrom(nanoseconds: BigUint64Array, counts: readonly number[]): number[] {
  return counts.map((count, i) => Number(nanoseconds[i * 2 + 1]! - nanoseconds[i * 2]!) / 1e6 / count);
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
