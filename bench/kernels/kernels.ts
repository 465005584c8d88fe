/**
 * Kernels one by one: checked against the reference first, then timed and compared with the adapter's ceilings.
 * @module
 */
import type { Gpu } from "../../engine/gpu.ts";
import { Plan } from "../../engine/plan.ts";
import { timeLaunches, type TimingOptions } from "../../engine/profile.ts";
import { architecture } from "../../model/architectures/registry.ts";
import { passed } from "../../engine/verify/case.ts";
import type { Ceilings } from "./ceilings.ts";
import type { BenchCase, CaseGroup } from "./case.ts";
import { rate } from "./cost.ts";
import { layerCase, placedLayers } from "./layer.ts";
import { lossCase, optimizerCase, photoCase, productCase } from "./other.ts";

/** One launch of a case. */
export interface KernelRow {
  readonly group: string;
  readonly case: string;
  /** `op.entry`. */
  readonly launch: string;
  /** Largest normalised error of the whole case against the float64 reference, and whether every error was allowed. */
  readonly error: number;
  readonly correct: boolean;
  readonly milliseconds: number;
  /** 1e9 additions and multiplications a second; absent where they are not what counts. */
  readonly gigaflops?: number;
  /** 1e9 bytes a second if every tensor moved once. */
  readonly gigabytes: number;
  /** Share of the nearer of the two ceilings; above 1 where a cache helps. */
  readonly share: number;
  readonly bound: "arithmetic" | "memory";
}

/** The cases of one model at one batch size. */
export function modelCases(model: string, batch: number, size: number, classes: number): CaseGroup {
  const built = architecture(model, { classes, size });
  return {
    name: `${model}, batch ${batch}`,
    batch,
    cases: [
      photoCase(batch, size),
      ...placedLayers(built).map((placed) => layerCase(placed, batch)),
      lossCase(batch, classes),
      optimizerCase(built),
    ],
  };
}

/** The bare product that other libraries are compared with. */
export function productCases(size: number): CaseGroup {
  return { name: "matrix", batch: 1, cases: [productCase(size)] };
}

/** Checks and times a case; a row for each launch, none where the layer launches nothing. Throws what WebGPU reports. */
export async function runCase(
  gpu: Gpu,
  group: string,
  one: BenchCase,
  ceilings: Ceilings,
  timing: TimingOptions,
): Promise<KernelRow[]> {
  using owned = new DisposableStack();
  const plan = owned.use(new Plan(gpu, one.name));
  const check = await gpu.guard(`build ${one.name}`, () => one.build(plan, owned));
  if (plan.launches.length === 0) return [];
  await plan.compile();
  plan.run();
  const checks = await check();
  // NaN is worst, and Math.max passes it on.
  const error = Math.max(...checks.map((c) => c.error)), correct = checks.length > 0 && checks.every(passed);
  const times = correct ? await timeLaunches(gpu, plan.bound, timing) : plan.launches.map(() => NaN);
  return plan.launches.map((launch, i) => ({
    group,
    case: one.name,
    launch: launch.name,
    error,
    correct,
    ...rate(launch, times[i]!, ceilings),
  }));
}
