/**
 * Kernels one by one: checked against the reference first, then timed and compared with the adapter's ceilings.
 * @module
 */
import type { Gpu } from "../../engine/gpu.ts";
import { Plan } from "../../engine/plan.ts";
import { timeLaunches, type TimingOptions } from "../../engine/profile.ts";
import { passed } from "../../engine/verify/case.ts";
import { architecture } from "../../model/architectures/registry.ts";
import { type BenchCase, lossCase, optimizerCase, photoCase, productCase } from "./cases.ts";
import { type Ceilings, type Rate, rate } from "./ceilings.ts";
import { layerCase, placedLayers } from "./layers.ts";

/** The layers of a model, or whatever else belongs together. */
export interface CaseGroup {
  readonly name: string;
  readonly batch: number;
  readonly cases: readonly BenchCase[];
}

/** One launch of a case. */
export interface KernelRow extends Rate {
  readonly group: string;
  readonly case: string;
  /** `op.entry`. */
  readonly launch: string;
  /** Largest normalised error of the whole case against the float64 reference, and whether every error was allowed. */
  readonly error: number;
  readonly correct: boolean;
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
  const built = await gpu.guard(`build ${one.name}`, () => one.build(plan, owned));
  if ((built.timed ?? plan.launches).length === 0) return [];
  await plan.compile();
  plan.run();
  const checks = await built.check();
  // NaN is worst, and Math.max passes it on.
  const error = Math.max(...checks.map((c) => c.error)), correct = checks.length > 0 && checks.every(passed);
  const launches = built.timed ?? plan.launches;
  const bound = plan.bound.filter((_, i) => launches.includes(plan.launches[i]!));
  const times = correct ? await timeLaunches(gpu, bound, timing) : bound.map(() => NaN);
  return bound.map(({ launch }, i) => ({
    group,
    case: one.name,
    launch: launch.name,
    error,
    correct,
    ...rate(launch, times[i]!, ceilings),
  }));
}
