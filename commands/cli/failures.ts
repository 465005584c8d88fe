/**
 * How commands end when something goes wrong.
 * @module
 */
import { UserError } from "../../engine/errors.ts";
import { printable } from "../../engine/text.ts";
import { exitWithUsageError } from "./args.ts";
import { UsageError } from "./flags.ts";

/** Errors whose message is written for people: what could not be done, what came, what was wanted. */
const EXPECTED = [UserError, ...Object.values(Deno.errors)];

/**
 * Runs a command. Expected errors become one line on standard error and exit code `failed` (2 for usage), others a stack trace. A command
 * whose own answer may be 1 fails with 2, so that scripts can tell an answer from none.
 */
export async function runCommand(
  name: string,
  work: () => Promise<number | void>,
  failed: 1 | 2 = 1,
): Promise<never> {
  try {
    Deno.exit(await work() ?? 0);
  } catch (error) {
    if (error instanceof UsageError) exitWithUsageError(name, error);
    console.error(describeFailure(name, error));
    Deno.exit(failed);
  }
}

/** One line for a `UserError`, a device's error or a failed file operation; the stack otherwise, and of a `RangeError` too. */
export function describeFailure(name: string, error: unknown): string {
  if (!(error instanceof Error)) return `${name}: ${error}`;
  const expected = EXPECTED.some((kind) => error instanceof kind);
  // An expected message may quote names of files; where it has lines of its own they stay.
  const told = () => error.message.split("\n").map(printable).join("\n");
  return `${name}: ${expected ? told() : error.stack ?? error.message}`;
}
