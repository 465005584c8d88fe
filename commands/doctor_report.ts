/**
 * The examination behind `deno task doctor`: every case on the adapter that Deno found.
 * @module
 */
import { ICD_FOLDERS } from "../engine/driver.ts";
import type { Gpu } from "../engine/gpu.ts";
import { chosenImplementation } from "../engine/implementation.ts";
import type { Case } from "../engine/verify/case.ts";
import {
  type AdapterReport,
  adapterReport,
  type Examination,
  examineCases,
} from "../engine/verify/report.ts";
import type { Row } from "../engine/verify/run.ts";

/** Runs the cases and describes the adapter. `report` sees each row as soon as it is there. */
export async function examine(
  gpu: Gpu,
  cases: readonly Case[],
  report?: (row: Row) => void,
): Promise<Examination> {
  return await examineCases(gpu, await describeAdapter(gpu), cases, report);
}

/** The exit code that an examination asks for: 1 if any case failed or none ran. */
export function exitCodeOf({ failed, rows }: Examination): number {
  return failed > 0 || rows.length === 0 ? 1 : 0;
}

/** Describes the adapter behind `gpu`. */
export async function describeAdapter(gpu: Gpu): Promise<AdapterReport> {
  return adapterReport(gpu, {
    runtime: `Deno ${Deno.version.deno}, ${Deno.build.os} ${Deno.build.arch}, WebGPU of ${
      chosenImplementation() === "dawn" ? "Dawn" : "wgpu"
    }`,
    drivers: await vulkanDrivers(),
  });
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
