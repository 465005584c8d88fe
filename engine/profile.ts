/**
 * Times launches one by one: with GPU timestamps where they work, else by the wall clock.
 * @module
 */
import type { Gpu } from "./gpu.ts";
import type { Bound } from "./kernel.ts";

/** Median time of one launch. */
export interface LaunchTime {
  readonly name: string;
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
