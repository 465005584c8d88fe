/** Finite differences of the plain-loop network, which know nothing of any backward pass. */
import { assert, assertAlmostEquals } from "@std/assert";
import type { Network } from "../../model/network.ts";
import { referenceNetwork } from "../../model/reference_network.ts";
import { noise, SEED, toNhwc, trainingStep } from "./harness.ts";

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
  const training = { seed: SEED, step: 0 };
  const { c, h, w } = network.architecture.input, images = toNhwc(input, c, h * w);
  // Read first: a step moves the running statistics.
  const weights = new Map<string, ArrayLike<number>>(await network.parameters.read());
  const { loss, gradients } = await trainingStep(network, input, labels);
  const lossWith = (name: string, values: ArrayLike<number>) =>
    meanLoss(
      referenceNetwork(network.architecture, new Map([...weights, [name, values]]), images, training).y,
      labels,
    );
  for (const [name, gradient] of gradients) {
    const before = weights.get(name)!;
    const direction = directionOf(gradient, noise(gradient.length, name.length));
    const h = 1e-6;
    const expected =
      (lossWith(name, moved(before, h, direction)) - lossWith(name, moved(before, -h, direction))) /
      (2 * h);
    let actual = 0;
    for (let i = 0; i < gradient.length; i++) actual += gradient[i]! * direction[i]!;
    // The floor is for gradients that are zero, as of a bias before batch normalisation.
    const error = Math.abs(actual - expected) / Math.max(Math.abs(expected), 0.1);
    assert(error < tolerance, `${name}: ${actual} along a direction, finite differences say ${expected}`);
  }
  const expected = meanLoss(referenceNetwork(network.architecture, weights, images, training).y, labels);
  assertAlmostEquals(loss, expected, tolerance * Math.max(1, expected));
}

// Plain loops: these run over tens of millions of values.

function directionOf(gradient: Float32Array, other: Float32Array): Float64Array {
  const a = 1 / norm(gradient), b = 1 / norm(other);
  const direction = new Float64Array(gradient.length);
  for (let i = 0; i < direction.length; i++) direction[i] = a * gradient[i]! + b * other[i]!;
  return direction;
}

function moved(from: ArrayLike<number>, by: number, direction: Float64Array): Float64Array {
  const to = new Float64Array(from.length);
  for (let i = 0; i < to.length; i++) to[i] = from[i]! + by * direction[i]!;
  return to;
}

function norm(values: Float32Array): number {
  let squares = 0;
  for (let i = 0; i < values.length; i++) squares += values[i]! ** 2;
  return Math.sqrt(squares);
}

/** Mean cross-entropy of logits [N, classes]. */
function meanLoss(logits: ArrayLike<number>, labels: readonly number[]): number {
  const classes = logits.length / labels.length;
  const losses = labels.map((label, n) => {
    const row = Array.from({ length: classes }, (_, c) => logits[n * classes + c]!);
    const top = Math.max(...row);
    return Math.log(row.reduce((sum, v) => sum + Math.exp(v - top), 0)) - (row[label]! - top);
  });
  return losses.reduce((a, b) => a + b, 0) / labels.length;
}
