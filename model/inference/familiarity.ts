/**
 * Whether a photo is like anything that a network was trained on: what is not is unknown, whatever class is the most probable.
 * @module
 */
import type { UnknownRule } from "../checkpoint/card.ts";
import { CheckpointError } from "../checkpoint/error.ts";
import { type Exemplars, REACH } from "../checkpoint/exemplars.ts";
import type { Pass } from "./inference.ts";

/** Nearest training photos whose mean distance counts. */
export const NEIGHBOURS = 5;

/** How much more the energy counts than the distance. */
const ENERGY_WEIGHT = 2;

/** log sum exp of the logits: minus their free energy at temperature 1 (Liu et al. 2020), the larger the more is recognised. */
export function energyScore(logits: Float32Array): number {
  const top = logits.reduce((a, b) => Math.max(a, b), -Infinity);
  return top + Math.log(logits.reduce((sum, v) => sum + Math.exp(v - top), 0));
}

/**
 * A photo in the values that are compared: of each map its channels' means and deviations, scaled to length 1 so that a photo's contrast
 * does not count, one map after the other.
 */
export function describedBy(moments: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(moments.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const values of moments) {
    const length = Math.sqrt(values.reduce((sum, v) => sum + v * v, 0)) || 1;
    for (const value of values) all[at++] = value / length;
  }
  return all;
}

/** Exemplars of described photos, all of one length; throws a `RangeError` where there is none. */
export function exemplarsOf(maps: readonly string[], described: readonly Float32Array[]): Exemplars {
  const n = described.length, length = described[0]?.length ?? 0;
  if (length === 0) throw new RangeError("Cannot keep exemplars: wanted at least one photo and one value");
  const mean = new Float32Array(length), deviation = new Float32Array(length);
  for (let k = 0; k < length; k++) {
    const centre = described.reduce((sum, row) => sum + row[k]!, 0) / n;
    mean[k] = centre;
    deviation[k] = Math.sqrt(described.reduce((sum, row) => sum + (row[k]! - centre) ** 2, 0) / n) || 1;
  }
  const data = new Uint8Array(n * length);
  described.forEach((row, i) => {
    for (let k = 0; k < length; k++) {
      const away = (row[k]! - mean[k]!) / deviation[k]!;
      data[i * length + k] = Math.round((Math.max(-REACH, Math.min(REACH, away)) / REACH + 1) * 127.5);
    }
  });
  return { maps, mean, deviation, data };
}

/**
 * The mean Euclidean distance to the nearest exemplars, values in deviations (nearest neighbours of a network's features: Sun et al. 2022).
 * `without`: an exemplar that does not count, such as the photo itself.
 */
export function distanceTo(
  { mean, deviation, data }: Exemplars,
  described: Float32Array,
  without?: number,
): number {
  const length = mean.length, count = data.length / length;
  // In the exemplars' own steps.
  const at = described.map((value, k) => {
    return (Math.max(-REACH, Math.min(REACH, (value - mean[k]!) / deviation[k]!)) / REACH + 1) * 127.5;
  });
  const nearest: number[] = [];
  for (let i = 0; i < count; i++) {
    if (i === without) continue;
    const worst = nearest.length < NEIGHBOURS ? Infinity : nearest[NEIGHBOURS - 1]!;
    let sum = 0;
    for (let k = 0, from = i * length; k < length && sum < worst; k++, from++) {
      sum += (data[from]! - at[k]!) ** 2;
    }
    if (sum >= worst) continue;
    nearest.push(sum);
    nearest.sort((a, b) => a - b);
    nearest.length = Math.min(nearest.length, NEIGHBOURS);
  }
  return nearest.reduce((sum, square) => sum + Math.sqrt(square), 0) / nearest.length * REACH / 127.5;
}

/** Tells how familiar photos are by a checkpoint's rule. */
export class Familiarity {
  /** Throws a `CheckpointError` where the rule compares with exemplars and there are none. */
  constructor(readonly rule: Omit<UnknownRule, "threshold">, readonly exemplars: Exemplars | undefined) {
    if (rule.distance && !exemplars) {
      throw new CheckpointError(
        "Cannot tell what is unknown: the checkpoint lacks the exemplars of its rule",
      );
    }
  }

  /** How familiar: 0 is usual for a photo of the classes, below is less. In spreads: twice the energy's, and the distance's. */
  of({ logits, moments }: Pass): number {
    const { energy, distance } = this.rule;
    const known = (energyScore(logits) - energy.centre) / energy.spread;
    if (!distance) return known;
    // By measurement (docs/trust.md): what is near in every map may still be of no class, so the logits count more.
    const away = (distanceTo(this.exemplars!, describedBy(moments)) - distance.centre) / distance.spread;
    return ENERGY_WEIGHT * known - away;
  }
}
