/**
 * What an examination of an adapter tells: every case, as data and as a table.
 * @module
 */
import type { Driver } from "../driver.ts";
import type { AdapterKind, Gpu } from "../device.ts";
import { tilesId } from "../kernels/matmul/tiles.ts";
import { type Case, type Check, passed } from "./case.ts";
import { type Row, runCases } from "./run.ts";

/** What an examination found. */
export interface Examination {
  /** What was examined. */
  readonly adapter: AdapterReport;
  /** One for each case. */
  readonly rows: readonly Row[];
  /** Cases that passed. */
  readonly passed: number;
  /** Cases that failed. */
  readonly failed: number;
  /** How long it took. */
  readonly seconds: number;
}

/** Runs the cases on an adapter that is described already. `report` sees each row as soon as it is there. */
export async function examineCases(
  gpu: Gpu,
  adapter: AdapterReport,
  cases: readonly Case[],
  report?: (row: Row) => void,
): Promise<Examination> {
  const start = performance.now();
  const rows = await runCases(gpu, cases, report);
  const failed = rows.filter((row) => !row.passed).length;
  const seconds = (performance.now() - start) / 1000;
  return { adapter, rows, passed: rows.length - failed, failed, seconds };
}

const FROM: Readonly<Record<Driver["from"], string>> = {
  own: "this project's own",
  system: "installed in the system",
  chosen: "chosen",
};

/** The lines above the table. */
export function adapterText(adapter: AdapterReport): string[] {
  const { name, kind, subgroupSize, tiles, driver, drivers, features, limits, runtime } = adapter;
  const identity = [adapter.vendor, adapter.architecture, adapter.device].filter((part) =>
    !["", "0"].includes(part)
  );
  return [
    `adapter   ${name} (${kind}${identity.length > 0 ? `, ${identity.join(" ")}` : ""})`,
    `runtime   ${runtime}`,
    `driver    ${driver.name}, ${FROM[driver.from]}${driver.reason && `, because ${driver.reason}`}`,
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

/** The adapter and how it is used. */
export interface AdapterReport {
  /** Its name. */
  readonly name: string;
  /** As WebGPU reports them; empty where the browser engine keeps them to itself. */
  readonly vendor: string;
  /** Its family of chips. */
  readonly architecture: string;
  /** Its model. */
  readonly device: string;
  /** Which family of tiles suits it. */
  readonly kind: AdapterKind;
  /** Lanes of a subgroup, 0 where subgroups are not used. */
  readonly subgroupSize: number;
  /** Identity of the measured tiles in use, or `built-in`. */
  readonly tiles: string;
  /** The driver that was asked for. */
  readonly driver: Driver;
  /** Installed Vulkan drivers, as `file (Vulkan version)`, on Linux; WebGPU does not say which one of them answers. */
  readonly drivers: readonly string[];
  /** WebGPU's features that are in use. */
  readonly features: readonly string[];
  /** The device's limits that bound tensors and kernels. */
  readonly limits: Readonly<Record<string, number>>;
  /** What runs the program. */
  readonly runtime: string;
}

const LIMITS = [
  "maxBufferSize",
  "maxStorageBufferBindingSize",
  "maxStorageBuffersPerShaderStage",
  "minStorageBufferOffsetAlignment",
  "maxComputeWorkgroupStorageSize",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupsPerDimension",
] as const;

/** Describes the adapter behind `gpu`, on a runtime and with the installed drivers that only its host knows. */
export function adapterReport(
  gpu: Gpu,
  { runtime, drivers = [] }: { readonly runtime: string; readonly drivers?: readonly string[] },
): AdapterReport {
  const { vendor, architecture, device } = gpu.adapter.info;
  return {
    name: gpu.name,
    vendor,
    architecture,
    device,
    kind: gpu.kind,
    subgroupSize: gpu.subgroupSize,
    tiles: tilesId(gpu),
    driver: gpu.driver,
    drivers,
    features: [...gpu.device.features].sort(),
    limits: Object.fromEntries(LIMITS.map((name) => [name, gpu.limits[name]])),
    runtime,
  };
}
