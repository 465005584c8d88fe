/**
 * The examination behind `deno task doctor`: every case on one adapter, as data and as a table.
 * @module
 */
import type { Gpu } from "../engine/gpu.ts";
import { type AdapterReport, describeAdapter } from "../engine/verify/adapter.ts";
import { type Case, type Check, passed } from "../engine/verify/case.ts";
import { type Row, runCases } from "../engine/verify/run.ts";

/** What an examination found. */
export interface Examination {
  readonly adapter: AdapterReport;
  readonly rows: readonly Row[];
  readonly passed: number;
  readonly failed: number;
  readonly seconds: number;
}

/** Runs the cases and describes the adapter. `report` sees each row as soon as it is there. */
export async function examine(
  gpu: Gpu,
  cases: readonly Case[],
  report?: (row: Row) => void,
): Promise<Examination> {
  const start = performance.now();
  const adapter = await describeAdapter(gpu);
  const rows = await runCases(gpu, cases, report);
  const failed = rows.filter((row) => !row.passed).length;
  const seconds = (performance.now() - start) / 1000;
  return { adapter, rows, passed: rows.length - failed, failed, seconds };
}

/** The exit code that an examination asks for: 1 if any case failed or none ran. */
export function exitCodeOf({ failed, rows }: Examination): number {
  return failed > 0 || rows.length === 0 ? 1 : 0;
}

/** The lines above the table. */
export function adapterText(adapter: AdapterReport): string[] {
  const { name, kind, subgroupSize, tiles, drivers, features, limits, runtime } = adapter;
  const identity = [adapter.vendor, adapter.architecture, adapter.device].filter((part) =>
    !["", "0"].includes(part)
  );
  return [
    `adapter   ${name} (${kind}${identity.length > 0 ? `, ${identity.join(" ")}` : ""})`,
    `runtime   ${runtime}`,
    ...(drivers.length > 0 ? [`drivers   ${drivers.join(", ")}`] : []),
    `features  ${features.join(", ") || "none"}; ${
      subgroupSize > 0 ? `subgroups of ${subgroupSize} lanes` : "no subgroups"
    }; ${tiles === "built-in" ? "built-in tiles" : `tiles measured here, ${tiles}`}`,
    `limits    ${Object.entries(limits).map(([limit, value]) => `${limit} ${value}`).join(", ")}`,
  ];
}

/** The table's heading. */
export const TABLE_HEADING = `${"result".padEnd(7)}${"error".padEnd(10)}${"slopes".padEnd(10)}case`;

/**
 * One line of the table: the verdict, the largest normalised error of all results and gradients, the largest relative
 * error of a gradient against finite differences, and the case; then a line for each check that failed.
 */
export function rowText({ op, name, checks, passed: fine, failure }: Row): string[] {
  const slopes = checks.filter(isSlope), others = checks.filter((check) => !isSlope(check));
  const line = `${(fine ? "ok" : "FAIL").padEnd(7)}${worst(others)}${worst(slopes)}${op} ${name}`;
  const bad = checks.filter((check) => !passed(check)).map(({ quantity, error, tolerance }) =>
    `       ${quantity}: error ${error.toExponential(1)}, allowed ${tolerance}`
  );
  return [line, ...bad, ...(failure === undefined ? [] : [`       ${failure}`])];
}

/** The last line. */
export function summaryText({ passed, failed, seconds }: Examination): string {
  return `${passed} passed, ${failed} failed in ${seconds.toFixed(1)} s`;
}

function isSlope({ quantity }: Check): boolean {
  return quantity.startsWith("slope of ");
}

function worst(checks: readonly Check[]): string {
  if (checks.length === 0) return "-".padEnd(10);
  // NaN is worst, and Math.max passes it on.
  return Math.max(...checks.map(({ error }) => error)).toExponential(1).padEnd(10);
}
