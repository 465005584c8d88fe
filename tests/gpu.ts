/**
 * The device that the tests of one file share.
 * @module
 */
import { assert, assertThrows } from "@std/assert";
import { Gpu } from "../engine/gpu.ts";
import { Plan } from "../engine/plan.ts";
import { Tensor } from "../engine/tensor.ts";
import { type Case, type Check, passed } from "../engine/verify/case.ts";

/** Opened once per test file, before any test, so that no test is blamed for it. */
export const gpu: Gpu = await Gpu.request();

globalThis.addEventListener("unload", () => gpu[Symbol.dispose]());

/** One test for each case. */
export function testCases(cases: readonly Case[]): void {
  for (const { op, name, run } of cases) {
    Deno.test(`${op} agrees with its reference: ${name}`, async () => assertPassed(await run(gpu)));
  }
}

/** Fails with the list of checks that did not pass, and where there is none at all. */
export function assertPassed(checks: readonly Check[]): void {
  assert(checks.length > 0, "nothing was compared");
  const failures = checks.filter((check) => !passed(check)).map(({ quantity, error, tolerance }) =>
    `${quantity}: error ${error.toExponential(2)}, allowed ${tolerance}`
  );
  assert(failures.length === 0, failures.join("; "));
}

const NO_MEMORY = undefined as unknown as GPUBuffer;

/** A tensor without memory, for launches that are only recorded. */
export function shapeOnly(shape: readonly number[], label = "t"): Tensor {
  return new Tensor(label, shape, "f32", NO_MEMORY);
}

/** The same of u32. */
export function integersOnly(shape: readonly number[], label = "t"): Tensor<"u32"> {
  return new Tensor(label, shape, "u32", NO_MEMORY);
}

/** A plan whose tensors have no memory: launches can be recorded and looked at, but not run. */
export function planOnly(): Plan {
  return new class extends Plan {
    override tensor(shape: readonly number[], label?: string): Tensor {
      return shapeOnly(shape, label);
    }
    override integers(shape: readonly number[], label?: string): Tensor<"u32"> {
      return integersOnly(shape, label);
    }
  }(gpu, "no memory");
}

/** Expects that building a launch throws a `RangeError` whose sentence has all these parts. */
export function assertRefuses(build: () => unknown, ...parts: readonly string[]): void {
  const { message } = assertThrows(build, RangeError, parts[0]);
  for (const part of parts) assert(message.includes(part), `${JSON.stringify(message)} lacks ${part}`);
}
