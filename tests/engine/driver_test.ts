import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { CHOICE_FILE, DRIVER, type Driver, LOADER_VARIABLES, thisMachine } from "../../engine/driver.ts";
import { chooseOwn, hasSoftwareDriver, inNewFolder, LIBRARY } from "../commands/drivers/cache_folder.ts";
import { testNeeding } from "../permissions.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const SERVE_ENVIRONMENT =
  "--allow-env=ALEXNET_DRIVER,ALEXNET_TOKEN,DENO_WEBGPU_BACKEND,VK_DRIVER_FILES,VK_ICD_FILENAMES,XDG_RUNTIME_DIR";

interface Opened {
  readonly driver: Driver;
  /** Whether the driver of `chooseOwn` is among the process's mapped files. */
  readonly taken: boolean;
}

/** Which driver a program takes that runs in the current folder. */
async function open(
  { permissions = ["-A"], args = [], env = {} }: {
    permissions?: readonly string[];
    args?: readonly string[];
    env?: Record<string, string>;
  } = {},
): Promise<Opened> {
  const program = join(ROOT, "tests/commands/drivers/driver_program.ts");
  // Nothing that this process has chosen for itself.
  const { [DRIVER]: _, [LOADER_VARIABLES[0]]: __, [LOADER_VARIABLES[1]]: ___, ...inherited } = Deno.env
    .toObject();
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--quiet", "--no-check", ...permissions, program, ...args],
    env: { ...inherited, ...env },
    clearEnv: true,
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (!text.includes("\n")) {
    const { value, done } = await reader.read();
    assert(!done, "it ended without an answer");
    text += value;
  }
  const maps = await Deno.readTextFile(`/proc/${child.pid}/maps`);
  await child.stdin.close();
  await reader.cancel();
  await child.status;
  return { driver: JSON.parse(text).driver, taken: maps.includes(LIBRARY) };
}

const test = (name: string, work: (folder: string) => Promise<void>) =>
  testNeeding("all")({ name, ignore: !hasSoftwareDriver(), fn: () => inNewFolder(work) });

test("a chosen driver serves every process of the project: with all permissions, with those of serve, in a Worker", async (folder) => {
  await chooseOwn(folder);
  for (
    const how of [
      {},
      { args: ["--worker"] },
      { permissions: ["--allow-read", SERVE_ENVIRONMENT] },
      { permissions: ["--allow-read", SERVE_ENVIRONMENT], args: ["--worker"] },
    ]
  ) {
    const { driver, taken } = await open(how);
    assertEquals([driver.from, driver.name, driver.reason, driver.processor, taken], [
      "own",
      "Mesa of the test",
      "the test wants it",
      "avx2",
      true,
    ], JSON.stringify(how));
  }
});

test("the environment keeps it out, whether it asks for the system's or names another", async (folder) => {
  const manifest = await chooseOwn(folder);
  const system = await open({ env: { [DRIVER]: "system" } });
  assertEquals([system.driver.from, system.taken], ["system", false]);
  assertStringIncludes(system.driver.name, "Mesa of the system (");
  // Also where a parent had chosen it.
  const child = await open({ env: { [DRIVER]: "system", VK_DRIVER_FILES: manifest } });
  assertEquals([child.driver.from, child.taken], ["system", false]);
  const other = join(folder, "other.json");
  await Deno.writeTextFile(
    other,
    (await Deno.readTextFile(manifest)).replace(`./${LIBRARY}`, "libvulkan_lvp.so"),
  );
  const chosen = await open({ env: { VK_DRIVER_FILES: other } });
  assertEquals([chosen.driver.from, chosen.driver.name, chosen.taken], [
    "chosen",
    `VK_DRIVER_FILES=${other}`,
    false,
  ]);
});

test("a choice for another machine hides no graphics card: other manifests or devices mean the system's driver", async (folder) => {
  const machine = thisMachine()!;
  for (const other of [{ ...machine, icds: "another" }, { ...machine, devices: "another" }]) {
    await chooseOwn(folder, { machine: other });
    const { driver, taken } = await open();
    assertEquals([driver.from, driver.processor, taken], ["system", "", false]);
  }
});

test("without a choice, with half of one, without its files or without a permission the system's driver serves", async (folder) => {
  const manifest = await chooseOwn(folder);
  const fromSystem = async (how = {}) => {
    const { driver, taken } = await open(how);
    assertEquals([driver.from, taken], ["system", false]);
  };
  await fromSystem({ permissions: ["--allow-read", "--allow-env=VK_DRIVER_FILES,XDG_RUNTIME_DIR"] });
  await fromSystem({ permissions: [`--allow-read=${ROOT},${folder}`, SERVE_ENVIRONMENT] });
  await fromSystem({ permissions: ["--allow-env"] });
  await Deno.remove(manifest);
  await fromSystem();
  await Deno.writeTextFile(CHOICE_FILE, (await Deno.readTextFile(CHOICE_FILE)).slice(0, 100));
  await fromSystem();
  await Deno.remove(CHOICE_FILE);
  await fromSystem();
});
