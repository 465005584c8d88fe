/**
 * Decides which driver this project's processes use on this machine, and remembers it in the cache for `engine/driver.ts`.
 * @module
 */
import { isFile } from "../../engine/files.ts";
import { join, resolve } from "@std/path";
import {
  CHOICE_FILE,
  DRIVER,
  DRIVER_FOLDER,
  type DriverChoice,
  type DriverWish,
  fits,
  LOADER_VARIABLES,
  readChoice,
  thisMachine,
} from "../../engine/driver.ts";
import type { AdapterKind } from "../../engine/gpu.ts";
import { writeFileAtomically } from "../../model/checkpoint/files.ts";
import { requireWritable } from "../tuning/tile_file.ts";
import { DriverError, fetchDriver, MANIFEST, systemVersion } from "./fetch.ts";
import { thisProcessor } from "./processor.ts";
import { outputOf, ProgramError } from "./run.ts";

/** What a process that was asked for it saw. */
export interface Seen {
  readonly name: string;
  readonly kind: AdapterKind;
}

/** What can be exchanged for tests. */
export interface Surroundings {
  /** The adapter of this manifest, or of the system's driver; null where there is none. */
  readonly look: (manifest?: string) => Promise<Seen | null>;
  readonly fetch: typeof fetchDriver;
  readonly processor: string;
  readonly systemVersion: () => Promise<string | undefined>;
  readonly now: () => number;
}

/** How to decide. */
export interface Decide {
  readonly wish: DriverWish;
  /** Decide anew, whatever was decided or has failed before. */
  readonly anew: boolean;
  /** Fetch a driver also where the system has none at all; otherwise that is left to whoever can install one. */
  readonly withoutSystem?: boolean;
  /** Hears what takes long before it is done. */
  readonly onProgress: (text: string) => void;
}

/** A failure is remembered for a day. */
const RETRY_MS = 24 * 3600 * 1000;

/** A driver that needs longer to open a device is of no use. */
const TRIAL_MS = 120_000;

/** No setup that still runs is as old. */
const LEFT_MS = 3600 * 1000;

/** The machine itself. */
export function realSurroundings(): Surroundings {
  return { look, fetch: fetchDriver, processor: thisProcessor(), systemVersion, now: Date.now };
}

/** Whether nothing has changed since, and it is not time to try again what failed. */
export function stillHolds(
  choice: DriverChoice | undefined,
  wish: DriverWish,
  around: Surroundings,
): boolean {
  const machine = thisMachine();
  return choice !== undefined && machine !== undefined && fits(choice, machine) && choice.wish === wish &&
    choice.processor === around.processor && around.now() < (choice.retryAfter ?? Infinity) &&
    (choice.own === undefined || isFile(join(DRIVER_FOLDER, choice.own.manifest)));
}

/**
 * The choice for this machine, and whether it was made and written just now. Failures end with the system's driver and their reason in the choice;
 * it throws nothing.
 */
export async function decideDriver(
  { wish, anew, withoutSystem = false, onProgress }: Decide,
  around: Surroundings = realSurroundings(),
): Promise<{ readonly choice: DriverChoice; readonly made: boolean }> {
  const before = readChoice();
  if (before !== undefined && !anew && stillHolds(before, wish, around)) {
    return { choice: before, made: false };
  }
  const version = await around.systemVersion();
  const base = {
    version: 1,
    wish,
    machine: thisMachine() ?? { icds: "" },
    processor: around.processor,
    system: version === undefined ? "the system's" : `Mesa ${version}`,
  } as const;
  const failed = (error: unknown): DriverChoice => ({
    ...base,
    reason: `a newer software driver could not be had: ${oneLine(error)}`,
    retryAfter: around.now() + RETRY_MS,
  });
  let choice: DriverChoice;
  try {
    // Before any download: what cannot be kept need not be fetched.
    await Deno.mkdir(DRIVER_FOLDER, { recursive: true });
    await requireWritable(CHOICE_FILE);
    const seen = await around.look();
    if (seen === null && !withoutSystem) {
      return { choice: { ...base, reason: "it offers none" }, made: false };
    }
    const reason = wish === "system" ? "it was asked for" : whySystem(seen, wish, around);
    choice = reason === undefined
      ? { ...base, ...await ownDriver(before?.own, anew, onProgress, around) }
      : { ...base, reason };
  } catch (error) {
    choice = failed(error);
  }
  try {
    await keep(choice);
  } catch (error) {
    choice = failed(error);
  }
  return { choice, made: true };
}

/** The choice as one line for people. */
export function choiceText({ own, system, reason, retryAfter }: DriverChoice): string {
  const where = own === undefined ? system : `${own.name}, this project's own in ${DRIVER_FOLDER}`;
  const later = retryAfter === undefined
    ? ""
    : "; not tried again for a day, except by `deno task setup --driver newest`";
  return `Vulkan driver: ${where}, because ${reason}${later}`;
}

/** Why the system's driver is the right one, or undefined where a newer one should be looked for. */
function whySystem(seen: Seen | null, wish: DriverWish, { processor }: Surroundings): string | undefined {
  if (seen === null) return undefined;
  if (seen.kind !== "cpu") return `${seen.name} is no software device`;
  if (!seen.name.startsWith("llvmpipe")) return `${seen.name} is not Mesa's`;
  if (wish !== "newest" && processor === "avx512") {
    return "newer ones are little faster on a processor with AVX-512, and compile several times as long";
  }
}

/** The driver that was there before, or one that is fetched. */
async function ownDriver(
  before: DriverChoice["own"],
  anew: boolean,
  onProgress: Decide["onProgress"],
  around: Surroundings,
): Promise<Pick<DriverChoice, "own" | "reason">> {
  const reason = around.processor === "avx512"
    ? "it was asked for"
    : "newer ones are several times as fast on a processor without AVX-512";
  const there = before && resolve(DRIVER_FOLDER, before.manifest);
  const works = there !== undefined && isFile(there) && await around.look(there) !== null;
  if (works && !anew) return { own: before, reason };
  onProgress("Looking for a newer software driver in the system's package sources, for this project alone");
  const temporary = resolve(DRIVER_FOLDER, `.${crypto.randomUUID()}.tmp`);
  const target = join(temporary, "driver");
  await removeLeftovers();
  try {
    await Deno.mkdir(target, { recursive: true });
    const { name, folder } = await around.fetch({ target, work: join(temporary, "work") });
    if (await around.look(join(target, MANIFEST)) === null) {
      throw new DriverError(`${name} offers no device on this machine`);
    }
    const place = join(DRIVER_FOLDER, folder);
    // What is there under this name may be broken; a process that uses it keeps its open files.
    await Deno.rename(place, join(temporary, "old")).catch(() => {});
    await Deno.rename(target, place);
    await removeOthers(folder);
    return { own: { name, manifest: join(folder, MANIFEST) }, reason };
  } catch (error) {
    if (!works) throw error;
    return { own: before, reason: `${reason}; another could not be had: ${oneLine(error)}` };
  } finally {
    await Deno.remove(temporary, { recursive: true }).catch(() => {});
  }
}

/** Older drivers, which nothing names any more. */
async function removeOthers(folder: string): Promise<void> {
  for await (const { name, isDirectory } of Deno.readDir(DRIVER_FOLDER)) {
    if (!isDirectory || !name.startsWith("mesa-") || name === folder) continue;
    await Deno.remove(join(DRIVER_FOLDER, name), { recursive: true }).catch(() => {});
  }
}

/** What a setup has left that was killed. */
async function removeLeftovers(): Promise<void> {
  for await (const { name } of Deno.readDir(DRIVER_FOLDER)) {
    if (!/^\..*\.tmp$/.test(name)) continue;
    const path = join(DRIVER_FOLDER, name);
    const { mtime } = await Deno.stat(path);
    if (Date.now() - (mtime?.getTime() ?? 0) > LEFT_MS) {
      await Deno.remove(path, { recursive: true }).catch(() => {});
    }
  }
}

async function keep(choice: DriverChoice): Promise<void> {
  await writeFileAtomically(CHOICE_FILE, new TextEncoder().encode(JSON.stringify(choice, null, 1) + "\n"));
}

async function look(manifest?: string): Promise<Seen | null> {
  const env = manifest === undefined
    ? { [DRIVER]: "system" }
    : { [LOADER_VARIABLES[0]]: manifest, [DRIVER]: "" };
  const trial = join(import.meta.dirname!, "trial.ts");
  const command = [Deno.execPath(), "run", "-A", "--quiet", trial] as const;
  const text = await outputOf(command, { env, milliseconds: TRIAL_MS }).catch((error) => {
    if (error instanceof ProgramError) return "null"; // crashed or hung
    throw error;
  });
  return JSON.parse(text.trim().split("\n").at(-1) || "null");
}

function oneLine(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.replaceAll(/\s*\n\s*/g, " ");
}
