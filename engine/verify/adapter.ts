/**
 * What can be told about the adapter that runs the checks.
 * @module
 */
import type { AdapterKind, Gpu } from "../gpu.ts";
import { tilesId } from "../kernels/matmul/tiles.ts";

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
  /** Installed Vulkan drivers, as `file (Vulkan version)`, on Linux; WebGPU does not say which one answers. */
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
    drivers: await vulkanDrivers(),
    features: [...gpu.device.features].sort(),
    limits: Object.fromEntries(LIMITS.map((name) => [name, gpu.limits[name]])),
    runtime: `Deno ${Deno.version.deno}, ${Deno.build.os} ${Deno.build.arch}`,
  };
}

async function vulkanDrivers(): Promise<string[]> {
  if (Deno.build.os !== "linux") return [];
  const found: string[] = [];
  for (const folder of ["/usr/share/vulkan/icd.d", "/usr/local/share/vulkan/icd.d", "/etc/vulkan/icd.d"]) {
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
