/**
 * Times launches one by one, by the device's clock where it can be trusted.
 * @module
 */
import type { Gpu } from "../../engine/gpu.ts";
import type { Bound } from "../../engine/kernel.ts";
import { median, profileLaunches } from "../../engine/profile.ts";

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
  const idle = await wall(gpu, undefined, 0);
  const times: number[] = [];
  for (const b of bound) {
    await wall(gpu, b, 1);
    const first = Math.max(0.001, await wall(gpu, b, 1) - idle);
    const count = Math.max(1, Math.min(1000, Math.ceil(WALL_MILLISECONDS / first)));
    const runs: number[] = [];
    for (let r = 0; r < repeats; r++) runs.push((await wall(gpu, b, count) - idle) / count);
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

async function wall(gpu: Gpu, bound: Bound | undefined, count: number): Promise<number> {
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
