/**
 * Runs cases and collects one row for each.
 * @module
 */
import type { Gpu } from "../device.ts";
import { type Case, type Check, passed } from "./case.ts";

/** What became of a case. */
export interface Row {
  /** The operation. */
  readonly op: string;
  /** Shapes and options in words. */
  readonly name: string;
  /** What was compared. */
  readonly checks: readonly Check[];
  /** Whether there are checks, and all of them passed. */
  readonly passed: boolean;
  /** Message of what it threw, if it did. */
  readonly failure?: string;
  /** How long it took. */
  readonly seconds: number;
}

/** Runs the cases one after another; a case that throws fails and the next one runs. `report` sees each row. */
export async function runCases(
  gpu: Gpu,
  cases: readonly Case[],
  report: (row: Row) => void = () => {},
): Promise<Row[]> {
  const rows: Row[] = [];
  for (const { op, name, run } of cases) {
    const start = performance.now();
    let checks: readonly Check[] = [];
    let failure: string | undefined;
    try {
      checks = await run(gpu);
    } catch (error) {
      failure = error instanceof Error ? error.message : String(error);
    }
    const row = {
      op,
      name,
      checks,
      passed: failure === undefined && checks.length > 0 && checks.every(passed),
      ...(failure === undefined ? {} : { failure }),
      seconds: (performance.now() - start) / 1000,
    };
    rows.push(row);
    report(row);
  }
  return rows;
}
