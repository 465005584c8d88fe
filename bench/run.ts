/**
 * Runs the bench: units one by one, progress told as it goes.
 * @module
 */
import type { Gpu } from "../engine/gpu.ts";
import { Plan } from "../engine/plan.ts";
import { describeAdapter } from "../commands/doctor_report.ts";
import { type BenchChoice, keepsCase, type Unit, unitsOf } from "./bench_plan.ts";
import { ceilingLaunches, type Ceilings, measureCeilings } from "./kernels/ceilings.ts";
import { type KernelRow, modelCases, productCases, runCase } from "./kernels/kernels.ts";
import type { CaseGroup } from "./kernels/case.ts";
import { chooseClock, type Clock } from "../engine/profile.ts";
import { tilesId } from "../engine/kernels/matmul/tiles.ts";
import type { Report } from "./report.ts";
import { digits, percent } from "./report_table.ts";
import { measureInference, measureTraining } from "./steps/steps.ts";
import { measureHost } from "./steps/host.ts";
import { measurePhotos } from "./steps/photos.ts";

/** How thoroughly. */
export interface Effort {
  /** Repeats or rounds, of which medians are taken. */
  readonly repeats: number;
  /** What a round of steps takes, in milliseconds. */
  readonly milliseconds: number;
  readonly quick: boolean;
}

/** Measures what `choice` asks for; `tell` hears each result as soon as it is there. */
export async function runBench(
  gpu: Gpu,
  choice: BenchChoice,
  effort: Effort,
  command: string,
  tell: (text: string) => void,
): Promise<Report> {
  const start = performance.now();
  const clock = await clockOf(gpu, effort.quick);
  const ceilings = await measureCeilings(gpu, clock, effort.quick);
  tell(`ceilings: ${digits(ceilings.gigaflops)} GFLOP/s, ${digits(ceilings.gigabytes)} GB/s (${clock})`);
  const rows = { kernels: [], training: [], inference: [], host: [], photos: [] } as Rows;
  const context = { gpu, choice, effort, clock, ceilings, tell, rows };
  const units = unitsOf(choice);
  for (const [i, unit] of units.entries()) await measure(context, unit, `${i + 1}/${units.length}`);
  const adapter = await describeAdapter(gpu);
  const seconds = (performance.now() - start) / 1000;
  const tiles = tilesId(gpu);
  return { bench: "engine", command, adapter, tiles, clock, ceilings, ...rows, seconds };
}

type Rows = { [K in "kernels" | "training" | "inference" | "host" | "photos"]: Report[K][number][] };

interface Context {
  readonly gpu: Gpu;
  readonly choice: BenchChoice;
  readonly effort: Effort;
  readonly clock: Clock;
  readonly ceilings: Ceilings;
  readonly tell: (text: string) => void;
  readonly rows: Rows;
}

async function clockOf(gpu: Gpu, quick: boolean): Promise<Clock> {
  using plan = new Plan(gpu, "clock");
  plan.add(ceilingLaunches(plan, quick).arithmetic[0]!.launch);
  await plan.compile();
  return await chooseClock(gpu, plan.bound[0]!);
}

async function measure(context: Context, unit: Unit, place: string): Promise<void> {
  const { gpu, effort, rows, tell } = context;
  const rounds = { rounds: effort.repeats, milliseconds: effort.milliseconds };
  const done = (text: string) => tell(`${place} ${unit.name}: ${text}`);
  switch (unit.kind) {
    case "product":
      return await measureCases(context, unit, productCases(unit.size), place);
    case "kernels": {
      const { model, batch, size, classes } = unit.subject;
      return await measureCases(context, unit, modelCases(model, batch, size, classes), place);
    }
    case "training": {
      const row = await measureTraining(gpu, unit.subject, rounds);
      rows.training.push(row);
      return done(`${digits(row.milliseconds)} ms a step, ${digits(row.imagesPerSecond)} images/s`);
    }
    case "inference": {
      const row = await measureInference(gpu, unit.subject, rounds);
      rows.inference.push(row);
      return done(`${digits(row.milliseconds)} ms, ${digits(row.imagesPerSecond)} images/s`);
    }
    case "host": {
      const row = await measureHost(gpu, unit.subject, rounds);
      rows.host.push(row);
      return done(`${digits(row.call)} ms, ${digits(row.upload)} of it copying photos`);
    }
    case "photos": {
      const row = await measurePhotos(gpu, unit.folder, unit.subject, rounds, tell);
      rows.photos.push(row);
      return done(
        `${digits(row.imagesPerSecond)} images/s, ${percent(row.share)} of the rate without photos`,
      );
    }
  }
}

async function measureCases(context: Context, unit: Unit, group: CaseGroup, place: string): Promise<void> {
  const { gpu, choice, effort, clock, ceilings, rows, tell } = context;
  for (const one of group.cases) {
    if (!keepsCase(choice, unit, one.name)) continue;
    const found = await runCase(gpu, group.name, one, ceilings, { repeats: effort.repeats, clock });
    rows.kernels.push(...found);
    if (found.length > 0) tell(`${place} ${group.name}: ${one.name}: ${found.map(shortly).join(", ")}`);
  }
}

function shortly({ launch, milliseconds, share, correct }: KernelRow): string {
  return correct ? `${launch} ${digits(milliseconds)} ms ${percent(share)}` : `${launch} WRONG`;
}
