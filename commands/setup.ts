/**
 * `deno task setup`: makes sure that WebGPU has an adapter. Does nothing where there is one; on Debian and Ubuntu it can install Mesa's
 * software driver, elsewhere it says what to do. Everything it says goes to standard error.
 * @module
 */
import { describeFailure } from "./cli/failures.ts";
import { exitWithUsageError, flag, parseOrExit, UsageError } from "./cli/args.ts";
import { fetchCodec, FETCHED_FORMATS } from "../data/image/fetched_codecs.ts";
import { BACKEND, requestAdapter } from "../engine/gpu.ts";
import {
  DRIVER,
  DRIVER_WISHES,
  type DriverWish,
  ICD_FOLDERS,
  isOwn,
  LOADER_VARIABLES,
  readChoice,
  useDriver,
} from "../engine/driver.ts";
import { kindOfLauncher } from "../distributed/mpi/launcher.ts";
import { UserError } from "../engine/errors.ts";
import { fetchDawn } from "./drivers/dawn.ts";
import { choiceText, decideDriver } from "./drivers/decide.ts";
import { distributionsOf, type Facts, plan } from "./drivers/missing.ts";

const CHOICES = [...LOADER_VARIABLES, BACKEND];

/** Whether the environment says something else than would be done without it. */
function isChosen(name: string): boolean {
  const value = Deno.env.get(name);
  return Boolean(value) && !(name === BACKEND && value === "vulkan") && !isOwn(value!);
}

async function gatherFacts(): Promise<Omit<Facts, "choices">> {
  const { os } = Deno.build;
  const osRelease = os === "linux" ? await Deno.readTextFile("/etc/os-release").catch(() => "") : "";
  const root = Deno.uid() === 0;
  const drivers: string[] = [];
  for (const folder of ICD_FOLDERS) {
    try {
      for await (const { name } of Deno.readDir(folder)) if (name.endsWith(".json")) drivers.push(name);
    } catch {
      // there is no such folder
    }
  }
  const sudo = os === "linux" && !root && await run(["sudo", "-n", "true"], "hidden") === 0;
  return {
    os,
    distributions: distributionsOf(osRelease),
    loader: canOpen("libvulkan.so.1"),
    drivers,
    root,
    sudo,
  };
}

function canOpen(library: string): boolean {
  try {
    Deno.dlopen(library, {}).close();
    return true;
  } catch {
    return false;
  }
}

/** Runs a command, what it prints sent to standard error or nowhere; its exit code, or 127 where it does not exist. */
async function run([command, ...args]: readonly string[], output: "shown" | "hidden"): Promise<number> {
  const shown = output === "shown";
  try {
    const child = new Deno.Command(command!, {
      args,
      stdin: "null",
      stdout: shown ? "piped" : "null",
      stderr: shown ? "inherit" : "null",
    }).spawn();
    if (shown) await child.stdout.pipeTo(Deno.stderr.writable, { preventClose: true });
    return (await child.status).code;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return 127;
    throw error;
  }
}

/** The adapter's name, or null. */
async function adapterName(): Promise<string | null> {
  const adapter = await requestAdapter();
  if (adapter === null) return null;
  return adapter.info.description || adapter.info.device || adapter.info.vendor || "unnamed";
}

/** How to choose among drivers, and what to say of it. */
interface Choosing {
  readonly driver: DriverWish | undefined;
  readonly verbose: boolean;
  readonly choices: readonly string[];
  readonly withoutSystem?: boolean;
}

/** Decides which Vulkan driver this project uses, where that is open, and says so; whether it is the project's own. */
async function chooseDriver({ driver, verbose, choices, withoutSystem = false }: Choosing): Promise<boolean> {
  const asked = wishOf(Deno.env.get(DRIVER));
  // One command without the project's own driver is no reason to decide for all of them.
  if (Deno.build.os !== "linux" || choices.length > 0 || (driver === undefined && asked === "system")) {
    return false;
  }
  const wish = driver ?? asked ?? readChoice()?.wish ?? "auto";
  const onProgress = (text: string) => console.error(`${text} (${DRIVER}=system keeps it out)`);
  const { choice, made } = await decideDriver({
    wish,
    anew: driver !== undefined,
    withoutSystem,
    onProgress,
  });
  if (made || verbose) console.error(choiceText(choice));
  return choice.own !== undefined;
}

function wishOf(value: string | undefined): DriverWish | undefined {
  if (!value) return undefined;
  const wish = DRIVER_WISHES.find((wish) => wish === value);
  if (wish) return wish;
  throw new UsageError(`${DRIVER} is ${JSON.stringify(value)}, wanted one of ${DRIVER_WISHES.join(", ")}`);
}

async function main(): Promise<number> {
  const flags = parseOrExit(Deno.args, {
    name: "setup",
    summary:
      "Makes sure that WebGPU has an adapter; installs Mesa's software driver on Debian and Ubuntu, and takes a newer one for this " +
      "project alone where that is faster.",
    flags: {
      driver: flag.choice(DRIVER_WISHES, {
        help:
          "decide anew: the system's driver, the newest of the package sources, or what suits the processor",
      }),
      check: flag.boolean({ help: "only look: exit code 0 with an adapter, 1 without" }),
      dawn: flag.boolean({ help: "fetch Dawn, Chrome's WebGPU, for --backend dawn: 130 MB" }),
      decoders: flag.boolean({
        help: "fetch the decoders of AVIF and HEIC photos, which the first such photo does otherwise: 18 MB",
      }),
      verbose: flag.boolean({ help: "name the driver and the adapter that is found" }),
    },
  });
  // Several processes that look, decide and install at the same time would be in each other's way; each says itself what it lacks.
  if (kindOfLauncher((name) => Deno.env.get(name)) !== undefined) return 0;
  const choices = CHOICES.flatMap((name) => isChosen(name) ? `${name}=${Deno.env.get(name)}` : []);
  try {
    if (flags.dawn) await fetchDawn();
    if (flags.decoders) await Promise.all(FETCHED_FORMATS.map(fetchCodec));
    if (!flags.check) await chooseDriver({ ...flags, choices });
  } catch (error) {
    if (error instanceof UsageError) exitWithUsageError("setup", error);
    if (!(error instanceof UserError)) throw error;
    console.error(describeFailure("setup", error));
    return 1;
  }
  const name = await adapterName();
  if (name !== null) {
    if (flags.verbose) console.error(`WebGPU adapter: ${name} (${useDriver().name})`);
    return 0;
  }
  if (flags.check) return 1;
  const todo = plan({ ...await gatherFacts(), choices });
  console.error(todo.reason);
  if ("advice" in todo) {
    if (canOpen("libvulkan.so.1") && await chooseDriver({ ...flags, choices, withoutSystem: true })) {
      return await check("The driver was fetched, but WebGPU still finds no adapter.");
    }
    console.error(todo.advice);
    return 1;
  }
  console.error("Installing Mesa's software driver, which runs on any processor:");
  for (const command of todo.commands) console.error(`  ${command.join(" ")}`);
  for (const command of todo.commands) {
    const code = await run(command, "shown");
    if (code !== 0) {
      console.error(`Cannot install the driver: ${command.join(" ")} ended with code ${code}`);
      return 1;
    }
  }
  await chooseDriver({ ...flags, choices });
  return await check("The driver is installed, but WebGPU still finds no adapter.");
}

/** Looks in a fresh process, because this one looked for the libraries before they were there. */
async function check(failure: string): Promise<number> {
  const code = await run(
    [Deno.execPath(), "run", "-A", import.meta.filename!, "--check", "--verbose"],
    "shown",
  );
  if (code !== 0) console.error(failure);
  return code === 0 ? 0 : 1;
}

if (import.meta.main) Deno.exit(await main());
