/**
 * What ops share: WGSL that is joined to a kernel's own text, and grids. Module declarations may come in any order, so a kernel's
 * text comes first and a driver's "line 12" stays a line of its file.
 * @module
 */
import { type Launch, MAX_GROUPS } from "../../kernel.ts";
import prelude from "./prelude.wgsl" with { type: "text" };
import stepParams from "./step_params.wgsl" with { type: "text" };

/** Invocations of a workgroup where nothing speaks for another number. */
export const GROUP = 64;

/** A kernel's text with `flat_index` and `workgroup_sum` (prelude.wgsl). */
export function withPrelude(wgsl: string): string {
  return `${wgsl}\n${prelude}`;
}

/** `withPrelude` and the struct `StepParams` (step_params.wgsl), for kernels that take part in a training step. */
export function withStepParams(wgsl: string): string {
  return `${wgsl}\n${stepParams}\n${prelude}`;
}

/** Grid and sizes for a kernel with one invocation for each of `count` vectors, found by `flat_index`. */
export function elementwise(
  count: number,
): Pick<Launch, "grid"> & { constants: { SIZE: number; GROUP: number } } {
  const groups = Math.ceil(count / GROUP);
  const x = Math.min(groups, MAX_GROUPS);
  return { grid: [x, Math.ceil(groups / x), 1], constants: { SIZE: count, GROUP } };
}

/** Throws a `RangeError` where two tensors that an op treats value by value have different shapes. */
export function requireSameShape(
  op: string,
  a: { readonly shape: readonly number[] },
  b: { readonly shape: readonly number[] },
): void {
  if (`${a.shape}` !== `${b.shape}`) {
    throw new RangeError(`Cannot build ${op}: shapes are [${a.shape}] and [${b.shape}], wanted the same`);
  }
}
