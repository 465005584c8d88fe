/**
 * What a run of the bench measures: names of units, so that `--only` can choose among them.
 * @module
 */
import type { Subject } from "./steps/steps.ts";

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
