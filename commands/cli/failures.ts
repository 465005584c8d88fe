/**
 * How commands end when something goes wrong.
 * @module
 */
import { UsageError } from "./flags.ts";

/** Errors whose message is written for people: what could not be done, what came, what was wanted. */
const EXPECTED = new Set([
  "CheckpointError",
  "DataError",
  "DeviceLostError",
  "DivergedError",
  "FileWriteError",
  "GpuLostError",
  "GpuUnavailableError",
  "GpuValidationError",
  "ImageError",
  "RangeError",
]);

/** Runs a command. Expected errors become one line on standard error and exit code 1 (2 for usage); others a stack trace. */
export async function runCommand(name: string, work: () => Promise<number | void>): Promise<never> {
  try {
    Deno.exit(await work() ?? 0);
  } catch (error) {
    if (error instanceof UsageError) {
      console.error(`${name}: ${error.message} (--help lists the flags)`);
      Deno.exit(2);
    }
    console.error(describeFailure(name, error));
    Deno.exit(1);
  }
}

/** One line for an expected error or a failed file operation, the stack otherwise. */
export function describeFailure(name: string, error: unknown): string {
  if (!(error instanceof Error)) return `${name}: ${error}`;
  const ofFiles = Object.values(Deno.errors).some((kind) => error instanceof kind);
  return EXPECTED.has(error.name) || ofFiles
    ? `${name}: ${error.message}`
    : `${name}: ${error.stack ?? error.message}`;
}
