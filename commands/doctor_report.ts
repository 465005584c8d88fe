/**
 * The examination behind `deno task doctor`: every case on one adapter, as data and as a table.
 * @module
 */
import { type Driver, ICD_FOLDERS } from "../engine/driver.ts";
import { chosenImplementation } from "../engine/implementation.ts";
import type { AdapterKind, Gpu } from "../engine/gpu.ts";
import { tilesId } from "../engine/kernels/matmul/tiles.ts";
import { type Case, type Check, passed } from "../engine/verify/case.ts";
import { type Row, runCases } from "../engine/verify/run.ts";

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
  readonly name: string;
  /** As WebGPU reports them; empty where the browser engine keeps them to itself. */
  readonly vendor: string;
  readonly architecture: string;
  readonly device: string;
  readonly kind: AdapterKind;
  /** Lanes of a subgroup, 0 where subgroups are not used. */
  readonly subgroupSize: number;
  /** Identity of the measured tiles in use, or `built-in`. */
  readonly tiles: string;
  /** The driver that was asked for. */
  readonly driver: Driver;
  /** Installed Vulkan drivers, as `file (Vulkan version)`, on Linux; WebGPU does not say which one of them answers. */
  readonly drivers: readonly string[];
  readonly features: readonly string[];
  /** The device's limits that bound tensors and kernels. */
  readonly limits: Readonly<Record<string, number>>;
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

/** Describes the adapter behind `gpu`. */
export async function describeAdapter(gpu: Gpu): Promise<AdapterReport> {
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
    drivers: await vulkanDrivers(),
    features: [...gpu.device.features].sort(),
    limits: Object.fromEntries(LIMITS.map((name) => [name, gpu.limits[name]])),
    runtime: `Deno ${Deno.version.deno}, ${Deno.build.os} ${Deno.build.arch}, WebGPU of ${
      chosenImplementation() === "dawn" ? "Dawn" : "wgpu"
    }`,
  };
}

async function vulkanDrivers(): Promise<string[]> {
  if (Deno.build.os !== "linux") return [];
  const found: string[] = [];
  for (const folder of ICD_FOLDERS) {
    try {
      for await (const { name } of Deno.readDir(folder)) {
        if (!name.endsWith(".json")) continue;
        const manifest = JSON.parse(await Deno.readTextFile(`${folder}/${name}`));
        found.push(`${name} (Vulkan ${manifest?.ICD?.api_version ?? "of unknown version"})`);
      }
    } catch {
      // Not there, or not for us to read: the list is only a help for the reader.
    }
  }
  return found.sort();
}
