/**
 * A project's folder of its own for tests of the driver's choice, and a driver in it that can be told from the system's.
 * @module
 */
import { join } from "@std/path";
import { shim } from "../../../commands/drivers/shim.ts";
import { CHOICE_FILE, DRIVER_FOLDER, type DriverChoice, thisMachine } from "../../../engine/driver.ts";

/** Where the system's software driver lies. */
export const SYSTEM_LIBRARIES = `/usr/lib/${Deno.build.arch}-linux-gnu`;

/** Runs `work` with another current folder, which is new and goes with its end. */
export async function inNewFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const before = Deno.cwd(), folder = await Deno.realPath(await Deno.makeTempDir());
  Deno.chdir(folder);
  try {
    await work(folder);
  } finally {
    Deno.chdir(before);
    await Deno.chmod(folder, 0o700);
    await Deno.remove(folder, { recursive: true });
  }
}

/** The file of the driver below, as it shows among a process's mapped files. */
export const LIBRARY = "driver_of_this_test.so";

/** Writes the choice of a driver that is the system's own, behind a library that shows whether it was taken. */
export async function chooseOwn(folder: string, change: Partial<DriverChoice> = {}): Promise<string> {
  const place = join(folder, DRIVER_FOLDER, "mesa-test");
  await Deno.mkdir(place, { recursive: true });
  const library = shim(Deno.build.arch, { library: "libvulkan_lvp.so", folder: SYSTEM_LIBRARIES });
  await Deno.writeFile(join(place, LIBRARY), library);
  const manifest = join(place, "icd.json");
  const ICD = { library_path: `./${LIBRARY}`, api_version: "1.3.0" };
  await Deno.writeTextFile(manifest, JSON.stringify({ file_format_version: "1.0.0", ICD }));
  const choice: DriverChoice = {
    version: 1,
    wish: "auto",
    machine: thisMachine()!,
    processor: "avx2",
    system: "Mesa of the system",
    own: { name: "Mesa of the test", manifest: "mesa-test/icd.json" },
    reason: "the test wants it",
    ...change,
  };
  await Deno.writeTextFile(join(folder, CHOICE_FILE), JSON.stringify(choice));
  return manifest;
}

/** Whether the system has a software driver that tests can wrap. */
export function hasSoftwareDriver(): boolean {
  try {
    return Deno.build.os === "linux" && Deno.statSync(`${SYSTEM_LIBRARIES}/libvulkan_lvp.so`).isFile;
  } catch {
    return false;
  }
}
