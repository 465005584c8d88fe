/**
 * What the processor can do, as far as software drivers differ by it.
 * @module
 */

/** The widest vector instructions that `/proc/cpuinfo` lists, such as `avx512`; another processor's architecture as it is. */
export function processorClass(cpuinfo: string, arch: string = Deno.build.arch): string {
  const flags = new Set(/^flags\s*:(.*)$/m.exec(cpuinfo)?.[1]?.trim().split(/\s+/));
  // llvmpipe uses AVX-512 only in its VL form, with the vectors and registers that drivers' code then gets.
  if (flags.has("avx512f") && flags.has("avx512vl")) return "avx512";
  return ["avx2", "avx", "sse4_1"].find((flag) => flags.has(flag)) ?? arch;
}

/** This machine's. `GALLIUM_OVERRIDE_CPU_CAPS` narrows it as it narrows what llvmpipe generates. */
export function thisProcessor(): string {
  let cpuinfo = "";
  try {
    cpuinfo = Deno.readTextFileSync("/proc/cpuinfo");
  } catch {
    // not Linux
  }
  const found = processorClass(cpuinfo), caps = Deno.env.get("GALLIUM_OVERRIDE_CPU_CAPS");
  return found === "avx512" && caps?.startsWith("avx") ? "avx2" : found;
}
