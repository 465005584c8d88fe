/**
 * What a run of the bench measures, unit by unit, so that `--only` can choose among them; progress is told as it goes.
 * @module
 */
import { ceilingLaunches, type Ceilings, measureCeilings } from "./kernels/ceilings.ts";
import { type CaseGroup, type KernelRow, modelCases, productCases, runCase } from "./kernels/kernels.ts";
import { digits, percent, type Report } from "./report.ts";
import { measureHost, measurePhotos } from "./steps/photos.ts";
import { measureInference, measureTraining, type Subject } from "./steps/steps.ts";
import { describeAdapter } from "../commands/doctor_report.ts";
import type { Gpu } from "../engine/gpu.ts";
import { Plan } from "../engine/plan.ts";
import { chooseClock, type Clock } from "../engine/profile.ts";

/** How a run was asked for. */
export interface BenchChoice {
  readonly models: readonly string[];
  /** Images of a training step; undefined: what suits the model. */
  readonly batch: number | undefined;
  readonly size: number | undefined;
  readonly quick: boolean;
  /** Part of the names of the units to measure. */
  readonly only: string | undefined;
  /** Folder of photos. */
  readonly data: string | undefined;
}

/** One thing to measure. */
export type Unit =
  | { readonly kind: "product"; readonly name: string; readonly size: number }
  | { readonly kind: "kernels"; readonly name: string; readonly subject: Subject; readonly only?: string }
  | { readonly kind: "training" | "inference" | "host"; readonly name: string; readonly subject: Subject }
  | { readonly kind: "photos"; readonly name: string; readonly subject: Subject; readonly folder: string };

/** Batch sizes of inference. */
const INFERENCE = [1, 8, 32, 128];

/** Layers that a model lacks, and the variant that has them: measured with it, as nothing else in the variant differs. */
const VARIANTS: Readonly<Record<string, { readonly model: string; readonly layer: string }>> = {
  compact: { model: "compact-bn", layer: "batch_norm" },
  alexnet: { model: "alexnet-2012", layer: "local_response_norm" },
};

/** Everything that `choice` asks for, in order. Kernels of a model are one unit; `keepsCase` chooses among its cases. */
export function unitsOf(choice: BenchChoice): Unit[] {
  const { quick, data } = choice;
  const side = quick ? 128 : 1024;
  const units: Unit[] = [{ kind: "product", name: `product ${side}^3`, size: side }];
  for (const model of choice.models) {
    const subject = subjectOf(model, choice);
    const name = (kind: string, of = subject) => `${kind} ${of.model} batch ${of.batch}`;
    units.push({ kind: "kernels", name: name("kernels"), subject });
    const variant = VARIANTS[model];
    if (variant && !choice.models.includes(variant.model)) {
      const other = { ...subject, model: variant.model };
      units.push({ kind: "kernels", name: name("kernels", other), subject: other, only: variant.layer });
    }
    units.push({ kind: "training", name: name("training"), subject });
    for (const batch of quick ? INFERENCE.slice(0, 1) : INFERENCE) {
      const answered = { ...subject, batch };
      units.push({ kind: "inference", name: name("inference", answered), subject: answered });
    }
    units.push({ kind: "host", name: name("host"), subject });
    if (data !== undefined) units.push({ kind: "photos", name: name("photos"), subject, folder: data });
  }
  const { only } = choice;
  return only === undefined
    ? units
    : units.filter((unit) => unit.kind === "kernels" || unit.name.includes(only));
}

/** Whether a kernels unit's case is asked for. */
export function keepsCase({ only }: BenchChoice, unit: Unit, name: string): boolean {
  const own = unit.kind === "kernels" ? unit.only : undefined;
  return (own === undefined || name.includes(own)) &&
    (only === undefined || `${unit.name} ${name}`.includes(only));
}

function subjectOf(model: string, { batch, size, quick }: BenchChoice): Subject {
  const large = model.startsWith("alexnet");
  return {
    model,
    batch: batch ?? (quick ? 2 : large ? 8 : 32),
    size: size ?? (quick ? 95 : 224),
    classes: large ? 1000 : 3,
  };
}

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
  return { bench: "engine", command, adapter, clock, ceilings, ...rows, seconds };
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
