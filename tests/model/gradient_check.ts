/** Finite differences of the plain-loop network, which know nothing of any backward pass. */
import { assert, assertAlmostEquals } from "@std/assert";
import type { Network } from "../../model/network.ts";
import { noise, trainingStep } from "./harness.ts";
import { plainLogits, plainLoss } from "./plain_network.ts";

/**
 * Compares the loss and, for every trained parameter, the gradient's component along a direction with the central
 * difference of the float64 loss. The direction is half the gradient's own, so that it is large, and half noise, so
 * that a wrong entry shows.
 */
export async function checkGradients(
  network: Network,
  input: Float32Array,
  labels: readonly number[],
  tolerance: number,
): Promise<void> {
  const { loss, gradients } = await trainingStep(network, input, labels);
  const weights = new Map<string, ArrayLike<number>>(await network.parameters.read());
  const lossWith = (name: string, values: ArrayLike<number>) =>
    plainLoss(plainLogits(network.architecture, new Map([...weights, [name, values]]), input), labels);
  for (const [name, gradient] of gradients) {
    const before = weights.get(name)!;
    const mine = unit(gradient), other = unit(noise(gradient.length, name.length));
    const direction = mine.map((v, i) => v + other[i]!);
    const h = 1e-6;
    const moved = (by: number) => Float64Array.from(direction, (d, i) => before[i]! + by * d);
    const expected = (lossWith(name, moved(h)) - lossWith(name, moved(-h))) / (2 * h);
    const actual = gradient.reduce((sum, g, i) => sum + g * direction[i]!, 0);
    const error = Math.abs(actual - expected) / Math.abs(expected);
    assert(error < tolerance, `${name}: ${actual} along a direction, finite differences say ${expected}`);
  }
  const expected = plainLoss(plainLogits(network.architecture, weights, input), labels);
  assertAlmostEquals(loss, expected, tolerance * Math.max(1, expected));
}

function unit(values: ArrayLike<number>): Float64Array {
  const v = Float64Array.from(values);
  const norm = Math.sqrt(v.reduce((sum, x) => sum + x * x, 0));
  return v.map((x) => x / norm);
}
