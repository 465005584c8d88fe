/**
 * What a check of the device is: one list of cases drives both the tests and `deno task doctor`.
 * @module
 */
import type { Gpu } from "../device.ts";

/** One comparison of one tensor. It passes when `error` is a number and at most `tolerance`. */
export interface Check {
  /** What was compared: `y`, `dx`, `slope of weight` … */
  readonly quantity: string;
  /** Normalised error, see `normalisedError`, unless the quantity says otherwise. */
  readonly error: number;
  /** The largest error that passes. */
  readonly tolerance: number;
}

/** One problem of one operation, on fixed pseudo-random input. */
export interface Case {
  /** The operation, e.g. `conv2d`. */
  readonly op: string;
  /** Shapes and options in words. */
  readonly name: string;
  /** Computes it on the device and compares every result. Throws what WebGPU reports. */
  run(gpu: Gpu): Promise<readonly Check[]>;
}

/** Whether a check passed; an error that is not a number has not. */
export function passed({ error, tolerance }: Check): boolean {
  return error <= tolerance;
}

/** |got - wanted|_2 / |wanted|_2, or |got|_2 where `wanted` is all zero; NaN where lengths differ. */
export function normalisedError(got: ArrayLike<number>, wanted: ArrayLike<number>): number {
  if (got.length !== wanted.length) return NaN;
  let difference = 0, size = 0;
  for (let i = 0; i < got.length; i++) {
    difference += (got[i]! - wanted[i]!) ** 2;
    size += wanted[i]! ** 2;
  }
  return Math.sqrt(size > 0 ? difference / size : difference);
}

/** Normalised error that a float32 kernel is allowed unless its case says otherwise. */
export const KERNEL_TOLERANCE = 1e-5;

/** A check of computed values at the tolerance of kernels. */
export function compare(
  quantity: string,
  got: ArrayLike<number>,
  wanted: ArrayLike<number>,
  tolerance = KERNEL_TOLERANCE,
): Check {
  return { quantity, error: normalisedError(got, wanted), tolerance };
}
