/**
 * Which Vulkan driver this project's processes use on Linux: the system's, or one of the project's own that `deno task setup` has put
 * into the cache. Setup alone chooses and fetches; what lies here reads the choice, and only while it still fits the machine.
 * @module
 */
import { basename, dirname, join, resolve } from "@std/path";
import { isFile } from "./files.ts";
import { fingerprint } from "./random.ts";

/** The environment's wish: `system` keeps the project's own driver out, `newest` wants it on any processor. */
export const DRIVER = "ALEXNET_DRIVER";

/** What people may wish; `auto` leaves it to the processor. */
export const DRIVER_WISHES = ["auto", "newest", "system"] as const;

/** One of `DRIVER_WISHES`. */
export type DriverWish = typeof DRIVER_WISHES[number];

/** Where drivers and the choice among them are kept. */
export const DRIVER_FOLDER: string = join(".cache", "drivers");

/** The choice's file. */
export const CHOICE_FILE: string = join(DRIVER_FOLDER, "choice.json");

/** Variables that tell the Vulkan loader which drivers to look at; the first is the one set here. */
export const LOADER_VARIABLES = ["VK_DRIVER_FILES", "VK_ICD_FILENAMES"] as const;

/** Where the Vulkan loader looks for drivers' manifests. */
export const ICD_FOLDERS: readonly string[] = [
  "/usr/share/vulkan/icd.d",
  "/usr/local/share/vulkan/icd.d",
  "/etc/vulkan/icd.d",
];

/** What decides whether a choice still holds: it must not hide a graphics card that has come since. */
export interface Machine {
  /** Fingerprint of the installed manifests, their sizes and dates. */
  readonly icds: string;
  /** Fingerprint of the graphics devices' names; undefined where they may not be looked at. */
  readonly devices?: string | undefined;
}

/** What setup has decided. */
export interface DriverChoice {
  /** Of the file. */
  readonly version: 1;
  readonly wish: DriverWish;
  readonly machine: Machine;
  /** Instructions that matter to the drivers' speed, such as `avx512`. */
  readonly processor: string;
  /** The system's driver, in words. */
  readonly system: string;
  /** The project's own, where it is used: its name in words, and its manifest as a path in `DRIVER_FOLDER`. */
  readonly own?: { readonly name: string; readonly manifest: string } | undefined;
  /** Why, as a sentence. */
  readonly reason: string;
  /** When a failure may be tried again, in milliseconds since 1970. */
  readonly retryAfter?: number | undefined;
}

/** The driver that a process uses, as far as it knows. */
export interface Driver {
  /** `own` of the project's cache, `system`, or `chosen` by the environment. */
  readonly from: "own" | "system" | "chosen";
  /** In words, with its version where that is known. */
  readonly name: string;
  /** Why this one; empty where setup has not decided. */
  readonly reason: string;
  /** The processor's class as setup saw it, or empty. */
  readonly processor: string;
}

/**
 * Chooses this process's driver and tells the Vulkan loader, which reads its variable when the first adapter is asked for. Whoever lacks
 * a permission for that gets the system's driver; nobody is asked.
 */
export function useDriver(): Driver {
  const unknown: Driver = { from: "system", name: "the system's", reason: "", processor: "" };
  if (Deno.build.os !== "linux" || ![DRIVER, ...LOADER_VARIABLES].every((name) => may("env", name))) {
    return unknown;
  }
  const chosen = LOADER_VARIABLES.map((name) => [name, Deno.env.get(name)] as const)
    .find(([, value]) => value !== undefined && value !== "" && !isOwn(value));
  const machine = thisMachine();
  const choice = readChoice();
  const holds = choice !== undefined && machine !== undefined && fits(choice, machine);
  const processor = holds ? choice.processor : "";
  if (chosen !== undefined) {
    return { from: "chosen", name: chosen.join("="), reason: "the environment says so", processor };
  }
  const wish = Deno.env.get(DRIVER) || choice?.wish;
  const inherited = LOADER_VARIABLES.map((name) => Deno.env.get(name) ?? "").find(isOwn);
  if (wish !== "system") {
    // Another thread or process of this project has chosen; where one is tried out, that is before the choice is written.
    const manifest = inherited ??
      (holds && choice.own !== undefined ? resolve(DRIVER_FOLDER, choice.own.manifest) : undefined);
    if (manifest !== undefined && isFile(manifest)) {
      Deno.env.set(LOADER_VARIABLES[0], manifest);
      const known = choice?.own !== undefined && resolve(DRIVER_FOLDER, choice.own.manifest) === manifest;
      const [name, reason] = known ? [choice.own!.name, choice.reason] : [basename(dirname(manifest)), ""];
      return { from: "own", name, reason, processor };
    }
  }
  // What remains names the project's own, or nothing, with which the loader would find no driver at all.
  for (const name of LOADER_VARIABLES) Deno.env.delete(name);
  if (machine === undefined) return unknown;
  return {
    from: "system",
    // The manifests' fingerprint changes with every update, also where nothing else gives a version.
    name: `${holds ? choice.system : "the system's"} (${machine.icds.slice(0, 8)})`,
    reason: wish === "system" ? "it was asked for" : holds ? choice.reason : "",
    processor,
  };
}

/** Whether a loader's variable names a driver in this project's cache, of whatever folder it runs in, and not one that somebody chose. */
export function isOwn(manifest: string): boolean {
  return dirname(dirname(manifest)).endsWith(join("/", DRIVER_FOLDER));
}

/** The choice as it was written, or undefined where there is none that can be read. */
export function readChoice(path: string = CHOICE_FILE): DriverChoice | undefined {
  if (!may("read", path) || !may("read", ".")) return undefined;
  try {
    const choice = JSON.parse(Deno.readTextFileSync(path));
    return isChoice(choice) ? choice : undefined;
  } catch {
    return undefined; // it is missing or damaged: setup decides again
  }
}

function isChoice(value: unknown): value is DriverChoice {
  const { version, wish, machine, processor, system, own, reason, retryAfter } = Object(value);
  const text = (...values: unknown[]) => values.every((value) => typeof value === "string");
  return version === 1 && DRIVER_WISHES.includes(wish) && text(machine?.icds, processor, system, reason) &&
    (own === undefined || text(own.name, own.manifest)) &&
    (retryAfter === undefined || typeof retryAfter === "number");
}

/** Whether the machine is still the one that was decided for; what may not be looked at counts as unchanged. */
export function fits({ machine }: DriverChoice, now: Machine): boolean {
  return machine.icds === now.icds && (now.devices === undefined || machine.devices === now.devices);
}

/** The machine as it is, or undefined where not even the manifests may be looked at. */
export function thisMachine(): Machine | undefined {
  if (!ICD_FOLDERS.every((folder) => may("read", folder))) return undefined;
  const manifests = ICD_FOLDERS.flatMap((folder) =>
    namesIn(folder).filter((name) => name.endsWith(".json")).map((name) => {
      const { size, mtime } = Deno.lstatSync(`${folder}/${name}`);
      return `${folder}/${name} ${size} ${mtime?.getTime()}`;
    })
  );
  return { icds: fingerprint(manifests.join("\n")), devices: graphicsDevices() };
}

/** Deno lets only programs that may do everything look into /dev. */
function graphicsDevices(): string | undefined {
  try {
    const nodes = namesIn("/dev").filter((name) => /^(nvidia|kfd$|dxg$|mali|kgsl)/.test(name));
    return fingerprint([...nodes, ...namesIn("/dev/dri")].join("\n"));
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) return undefined;
    throw error;
  }
}

function namesIn(folder: string): string[] {
  try {
    return [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) throw error;
    return []; // there is no such folder
  }
}

function may(name: "env" | "read", what: string): boolean {
  const descriptor = name === "env" ? { name, variable: what } as const : { name, path: what } as const;
  return Deno.permissions.querySync(descriptor).state === "granted";
}
