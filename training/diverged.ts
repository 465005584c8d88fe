/**
 * Stops a run whose numbers are no longer finite, and says where that began.
 * @module
 */
import { UserError } from "../engine/errors.ts";
import type { PlacedPhoto } from "../model/inference/photo_feed.ts";
import type { FoundNonFinite } from "./numeric_checks.ts";
import type { Metrics, Trainer } from "./trainer.ts";

/** The loss was not finite: the message names the step and the first layer that shows it. */
export class DivergedError extends UserError {
  override readonly name = "DivergedError";
}

/**
 * Throws `DivergedError` at the first step since the last reading whose loss is not finite. `batchOf` gives the photos and
 * labels of a step, numbered from 0.
 */
export async function requireFiniteLoss(
  trainer: Trainer,
  { losses }: Metrics,
  batchOf: (step: number) => [PlacedPhoto[], number[]],
): Promise<void> {
  const bad = losses.findIndex((loss) => !Number.isFinite(loss));
  if (bad < 0) return;
  const step = trainer.step - losses.length + bad;
  const section = await trainer.findNonFinite(...batchOf(step), step);
  const where = section ? `first seen in ${section.layer}, ${section.pass} pass` : "first seen in the loss";
  throw new DivergedError(
    `Training stopped: the loss of step ${step + 1} is ${losses[bad]}, ${where}; a lower --lr usually helps`,
  );
}

/** Throws `DivergedError` for what `Trainer.runChecked` found. */
export function requireFiniteLayers(trainer: Trainer, found: FoundNonFinite | undefined): void {
  if (!found) return;
  const { layer, pass, count, first } = found;
  throw new DivergedError(
    `Training stopped: in step ${trainer.step}, ${pass} pass, ${layer} gave ${count} values that are not finite, ` +
      `the first at [${first}]`,
  );
}
