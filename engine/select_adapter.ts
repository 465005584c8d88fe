/**
 * Which of a machine's GPUs a process gets, where several processes share it.
 * @module
 */

/** The places of a machine's GPUs on its PCI bus, in order, as Linux tells. */
export function gpuPlaces(devices = "/sys/bus/pci/devices"): string[] {
  const places: string[] = [];
  try {
    for (const { name } of Deno.readDirSync(devices)) {
      // 0x0300 is a display controller for VGA, 0x0302 one without a display.
      if (/^0x030[02]/.test(Deno.readTextFileSync(`${devices}/${name}/class`))) places.push(name);
    }
  } catch {
    // not Linux, or no such bus
  }
  return places.sort();
}

/** What tells Mesa's device selection, which stands before every Vulkan driver, which GPU comes first; undefined where there is no choice. */
export function primeOf(localRank: number, places: readonly string[]): string | undefined {
  if (places.length < 2) return undefined;
  return `pci-${places[localRank % places.length]!.replaceAll(/[:.]/g, "_")}`;
}

/**
 * Gives each of a machine's processes a GPU of its own, in turn. WebGPU cannot name one; on Linux the Vulkan layer of Mesa reads DRI_PRIME.
 * Does nothing where a launcher or the user has chosen, where there is one process, or one GPU. Call it before the first adapter.
 */
export function selectAdapter(localRank: number, processes: number): void {
  const chosen = ["DRI_PRIME", "MESA_VK_DEVICE_SELECT"].some((name) => Deno.env.get(name));
  if (processes < 2 || chosen || Deno.build.os !== "linux") return;
  const prime = primeOf(localRank, gpuPlaces());
  if (prime !== undefined) Deno.env.set("DRI_PRIME", prime);
}
