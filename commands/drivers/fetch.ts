/**
 * Brings the newest Mesa that the machine's package sources have into a folder of the project's own, where the Vulkan loader can use it
 * beside the system's. Either all of it is there in the end or nothing.
 * @module
 */
import { join } from "@std/path";
import { DependencyError, missingPackages, type Package } from "./dependencies.ts";
import { PrivateApt } from "./apt.ts";
import { outputOf } from "./run.ts";
import { shim } from "./shim.ts";
import { configuredSources, listFor } from "./sources.ts";

/** Why there is no newer driver, as the end of a sentence. */
export class DriverError extends Error {
  /** The class's name. */
  override readonly name = "DriverError";
}

/** A driver that was fetched. */
export interface Fetched {
  /** Such as `Mesa 25.0.7-2~bpo12+1`. */
  readonly name: string;
  /** Name of its folder, which says the same. */
  readonly folder: string;
}

/** The package with Mesa's Vulkan drivers. */
const PACKAGE = "mesa-vulkan-drivers";

/** The software driver's library in it. */
const LIBRARY = "libvulkan_lvp.so";

/** The driver's manifest in the folder that `fetchDriver` fills. */
export const MANIFEST = "icd.json";

/** Backports alone are a small list; the release's others are read only where those do not do. */
const SUITES = [["-backports"], ["", "-updates", "-backports"]];

/** dpkg's names of the processors that Deno runs on. */
const ARCHITECTURES: Readonly<Record<string, string>> = { x86_64: "amd64", aarch64: "arm64" };

/** The version of the package that the system has, or undefined without dpkg or without the package. */
export async function systemVersion(): Promise<string | undefined> {
  const ask = outputOf(["dpkg-query", "-W", "-f", "${db:Status-Status} ${Version}\n", PACKAGE]);
  return /^installed (\S+)/m.exec(await ask.catch(() => ""))?.[1];
}

/**
 * Fetches and unpacks into `target`, a new folder, with `work` for what is only needed meanwhile; both are absolute paths. Throws
 * a `DriverError`, `ProgramError` or what Deno throws, and leaves the clearing up to the caller.
 */
export async function fetchDriver(
  { target, work, etc = "/etc" }: { readonly target: string; readonly work: string; readonly etc?: string },
): Promise<Fetched> {
  const { apt, packages } = await newest(work, etc);
  if (apt.arch !== ARCHITECTURES[Deno.build.arch]) {
    throw new DriverError(`Deno is built for ${Deno.build.arch}, the system's packages are for ${apt.arch}`);
  }
  const root = join(target, "root");
  for (const file of await apt.download(packages, join(work, "archives"))) {
    await outputOf(["dpkg-deb", "-x", file, root]);
  }
  const name = await arrange(target, root);
  const { version } = packages[0]!;
  return { name: `Mesa ${version}`, folder: `mesa-${version.replaceAll(/[^\w.+~-]/g, "_")}-${name}` };
}

/** The newest driver, and first of all that is needed for it. */
async function newest(work: string, etc: string): Promise<{ apt: PrivateApt; packages: Package[] }> {
  const release = /^VERSION_CODENAME=["']?([\w-]+)/m.exec(
    await Deno.readTextFile(join(etc, "os-release")).catch(() => ""),
  )?.[1];
  const sources = await configuredSources(join(etc, "apt"));
  const installed = await systemVersion();
  let problem = "its package sources do not have one";
  for (const [i, suites] of SUITES.entries()) {
    const list = release === undefined ? "" : listFor(sources, release, suites);
    if (list === "") throw new DriverError("the system names no package source of its own release");
    const apt = await PrivateApt.open(join(work, `apt${i}`), list);
    const [found] = await apt.offered(PACKAGE);
    if (found === undefined) {
      if (apt.complaint === undefined) continue;
      problem = apt.complaint;
      if (/Release file|404/.test(problem)) continue; // a mirror without this suite may have the others
      break;
    }
    if (installed !== undefined && !await apt.compare(found.version, "gt", installed)) {
      problem = `its package sources have nothing newer than Mesa ${installed}`;
      continue;
    }
    try {
      return { apt, packages: await missingPackages(found, apt) };
    } catch (error) {
      if (!(error instanceof DependencyError)) throw error;
      problem = error.message;
    }
  }
  throw new DriverError(problem);
}

/** Leaves the software driver and what it needs, and writes the files by which the loader finds it. Returns the folder of libraries' name. */
async function arrange(target: string, root: string): Promise<string> {
  const triplet = `${Deno.build.arch}-linux-gnu`;
  const folders = [`usr/lib/${triplet}`, `lib/${triplet}`];
  const libraries = join(root, folders[0]!);
  const icds = join(root, "usr/share/vulkan/icd.d");
  const manifest = [...Deno.readDirSync(icds)].find(({ name }) => name.startsWith("lvp_icd"));
  if (manifest === undefined) throw new DriverError(`${PACKAGE} brings no software driver`);
  const { ICD } = JSON.parse(await Deno.readTextFile(join(icds, manifest.name)));
  for (const { name } of [...Deno.readDirSync(libraries)]) {
    // The drivers of graphics cards are the most of it.
    const other = /^libvulkan_|^libVkLayer_/.test(name) && name !== LIBRARY;
    if (other) await Deno.remove(join(libraries, name));
  }
  for (const name of ["share", "bin", "include"]) {
    await Deno.remove(join(root, "usr", name), { recursive: true }).catch(() => {});
  }
  const bytes = shim(Deno.build.arch, {
    library: LIBRARY,
    folder: folders.map((folder) => `$ORIGIN/root/${folder}`).join(":"),
  });
  await Deno.writeFile(join(target, "driver.so"), bytes);
  // From the manifest on, so that the project may be moved.
  const own = { file_format_version: "1.0.0", ICD: { ...ICD, library_path: "./driver.so" } };
  await Deno.writeTextFile(join(target, MANIFEST), JSON.stringify(own, null, 1) + "\n");
  return triplet;
}
