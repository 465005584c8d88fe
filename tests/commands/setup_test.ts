import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { DRIVER, DRIVER_FOLDER } from "../../engine/driver.ts";
import { kindOf, nameOf, requestAdapter } from "../../engine/gpu.ts";
import { distributionsOf, type Facts, plan } from "../../commands/drivers/missing.ts";
import { defaultPreprocess } from "../../data/preprocess.ts";
import { saveCheckpoint } from "../../model/checkpoint/checkpoint.ts";
import { testNeeding } from "../permissions.ts";

const test = testNeeding("all");

const bare: Facts = {
  os: "linux",
  distributions: ["debian"],
  loader: false,
  drivers: [],
  choices: [],
  root: true,
  sudo: false,
};

function advice(facts: Facts): string {
  const todo = plan(facts);
  if (!("advice" in todo)) throw new Error("it installs something");
  return todo.advice;
}

function commands(facts: Facts): string[] {
  const todo = plan(facts);
  if (!("commands" in todo)) throw new Error("it installs nothing");
  return todo.commands.map((command) => command.join(" "));
}

Deno.test("root on Debian or Ubuntu installs the software driver with apt-get", () => {
  for (const distributions of [["debian"], ["ubuntu", "debian"], ["linuxmint", "ubuntu", "debian"]]) {
    const [update, install, ...more] = commands({ ...bare, distributions });
    assertEquals(more, []);
    assertStringIncludes(update!, "apt-get");
    assert(update!.endsWith(" update"));
    assert(install!.endsWith(" install -y --no-install-recommends mesa-vulkan-drivers libvulkan1"), install);
    assert(!install!.includes("sudo") && install!.includes("DEBIAN_FRONTEND=noninteractive"));
  }
});

Deno.test("sudo without a password installs too, and never asks for one", () => {
  for (const command of commands({ ...bare, root: false, sudo: true })) {
    assert(command.startsWith("sudo -n env DEBIAN_FRONTEND=noninteractive apt-get"), command);
  }
});

Deno.test("without the right to install, the command is told", () => {
  assertStringIncludes(
    advice({ ...bare, root: false }),
    "sudo apt-get update && sudo apt-get install --no-install-recommends mesa-vulkan-drivers libvulkan1",
  );
});

Deno.test("other systems get advice of their own, even as root", () => {
  const on = (os: Facts["os"], ...distributions: string[]) => advice({ ...bare, os, distributions });
  assertStringIncludes(on("linux", "fedora"), "dnf install mesa-vulkan-drivers vulkan-loader");
  assertStringIncludes(on("linux", "rocky", "rhel", "centos", "fedora"), "dnf install");
  assertStringIncludes(on("linux", "arch"), "pacman -S vulkan-swrast");
  assertStringIncludes(on("linux", "opensuse-leap", "suse", "opensuse"), "zypper install");
  assertStringIncludes(on("linux"), "the system's package manager");
  assertStringIncludes(on("linux", "gentoo"), "the system's package manager");
  assertStringIncludes(on("darwin"), "Mac");
  assertStringIncludes(on("windows"), "graphics driver");
});

Deno.test("the reason says what is missing", () => {
  const reason = (facts: Partial<Facts>) => plan({ ...bare, ...facts }).reason;
  assertStringIncludes(reason({}), "the Vulkan loader (libvulkan.so.1) is not installed");
  assertStringIncludes(reason({ loader: true }), "but no Vulkan driver");
  assertStringIncludes(
    reason({ loader: true, drivers: ["nvidia_icd.json"] }),
    "(nvidia_icd.json) have no device",
  );
  assertStringIncludes(reason({ os: "darwin" }), "the system offers no GPU");
});

Deno.test("a driver for absent hardware is no reason not to install, but the software driver is", () => {
  commands({ ...bare, loader: true, drivers: ["nvidia_icd.json"] });
  commands({ ...bare, loader: false, drivers: ["lvp_icd.x86_64.json"] });
  assertStringIncludes(advice({ ...bare, loader: true, drivers: ["lvp_icd.x86_64.json"] }), "vulkaninfo");
});

Deno.test("drivers that the environment chooses are named, and nothing is installed over that choice", () => {
  const todo = plan({ ...bare, choices: ["VK_DRIVER_FILES=/nowhere.json", "DENO_WEBGPU_BACKEND=dx12"] });
  assertEquals(todo, {
    reason:
      "WebGPU finds no adapter: there is none with VK_DRIVER_FILES=/nowhere.json DENO_WEBGPU_BACKEND=dx12 in the environment.",
    advice: "Unset VK_DRIVER_FILES and DENO_WEBGPU_BACKEND.",
  });
});

Deno.test("os-release names the distribution and those it derives from", () => {
  assertEquals(distributionsOf('PRETTY_NAME="Debian"\nVERSION_ID="12"\nID=debian\n'), ["debian"]);
  assertEquals(distributionsOf('NAME="Linux Mint"\nID=linuxmint\nID_LIKE="ubuntu debian"\n'), [
    "linuxmint",
    "ubuntu",
    "debian",
  ]);
  assertEquals(distributionsOf(""), []);
});

const adapter = await requestAdapter();
const hasAdapter = adapter !== null;
const isLlvmpipe = hasAdapter && kindOf(nameOf(adapter), "") === "cpu" &&
  nameOf(adapter).startsWith("llvmpipe");

test("setup exits with code 0 and prints nothing where there is an adapter, and refuses unknown flags", async () => {
  const setup = async (...args: string[]) => {
    const command = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--quiet", "commands/setup.ts", ...args],
      env: { [DRIVER]: "system" },
    });
    const { code, stdout, stderr } = await command.output();
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    return { code, stdout: text(stdout), stderr: text(stderr) };
  };
  const looked = await setup("--check");
  assertEquals(looked, { code: hasAdapter ? 0 : 1, stdout: "", stderr: "" });
  if (hasAdapter) {
    assertEquals(await setup(), { code: 0, stdout: "", stderr: "" });
    const { stdout, stderr } = await setup("--verbose");
    assertEquals(stdout, "");
    assertStringIncludes(stderr, "WebGPU adapter: ");
  }
  const wrong = await setup("--force");
  assertEquals(wrong.code, 2);
  assertStringIncludes(wrong.stderr, "--force");
});

test({
  name:
    "setup says once which driver serves and why, tries a failed download only when told to, and leaves nothing of it",
  ignore: !isLlvmpipe,
  fn: async () => {
    const folder = await Deno.makeTempDir(), bin = join(folder, "bin");
    await Deno.mkdir(bin);
    await Deno.writeTextFile(
      join(bin, "apt-get"),
      "#!/bin/sh\necho \"$*\" >> $LOG\necho 'E: no network' >&2\nexit 100\n",
    );
    await Deno.chmod(join(bin, "apt-get"), 0o755);
    const log = join(folder, "log");
    await Deno.writeTextFile(log, "");
    const setup = async (env: Record<string, string> = {}, ...args: string[]) => {
      const command = new Deno.Command(Deno.execPath(), {
        args: ["run", "-A", "--quiet", new URL("../../commands/setup.ts", import.meta.url).pathname, ...args],
        cwd: folder,
        env: {
          [DRIVER]: "",
          PATH: `${bin}:${Deno.env.get("PATH")}`,
          LOG: log,
          // As on a processor without AVX-512.
          GALLIUM_OVERRIDE_CPU_CAPS: "avx",
          MESA_SHADER_CACHE_DISABLE: "true",
          ...env,
        },
      });
      const { code, stderr } = await command.output();
      return {
        code,
        lines: new TextDecoder().decode(stderr).trim().split("\n").filter((line) => line !== ""),
      };
    };
    const tries = () => Deno.readTextFileSync(log).trim().split("\n").filter((line) => line !== "").length;

    assertEquals(await setup({ [DRIVER]: "system" }), { code: 0, lines: [] });
    assertEquals(tries(), 0);
    const first = await setup();
    assertEquals([first.code, first.lines.length], [0, 2], first.lines.join("\n"));
    assertStringIncludes(first.lines[0]!, `${DRIVER}=system keeps it out`);
    assertStringIncludes(first.lines[1]!, "because a newer software driver could not be had: ");
    const after = tries();
    assertEquals(await setup(), { code: 0, lines: [] });
    assertEquals(tries(), after);
    assertEquals([...Deno.readDirSync(join(folder, DRIVER_FOLDER))].map(({ name }) => name), ["choice.json"]);

    const forced = await setup({}, "--driver", "newest");
    assertEquals([forced.code, forced.lines.length], [0, 2]);
    assertEquals(tries() - after, after);
    const system = await setup({}, "--driver", "system");
    assertEquals([system.code, system.lines.length], [0, 1]);
    assertStringIncludes(system.lines[0]!, "because it was asked for");
    assertEquals(await setup(), { code: 0, lines: [] });

    const wrong = await setup({ [DRIVER]: "old" });
    assertEquals(wrong.code, 2);
    assertStringIncludes(wrong.lines.join(), `${DRIVER} is "old", wanted one of auto, newest, system`);
    await Deno.remove(folder, { recursive: true });
  },
});

/** Hides Vulkan from a program: the loader finds no driver then, and Deno would fall back to OpenGL where that is installed. */
const NO_VULKAN = { VK_ICD_FILENAMES: "/nowhere.json", VK_DRIVER_FILES: "/nowhere.json" };

async function runProgram(args: readonly string[], env: Record<string, string> = NO_VULKAN) {
  const cwd = new URL("../../", import.meta.url);
  const command = new Deno.Command(Deno.execPath(), { args: ["run", "-A", "--quiet", ...args], env, cwd });
  const { code, stderr } = await command.output();
  return { code, stderr: new TextDecoder().decode(stderr) };
}

test({
  name: "an adapter that only OpenGL offers does not count, and setup says what hides Vulkan and ends with 1",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    assertEquals((await runProgram(["commands/setup.ts", "--check"], {})).code, hasAdapter ? 0 : 1);
    assertEquals((await runProgram(["commands/setup.ts", "--check"])).code, 1);
    const { code, stderr } = await runProgram(["commands/setup.ts"]);
    assertEquals(code, 1);
    assertStringIncludes(stderr, "VK_ICD_FILENAMES=/nowhere.json");
    assertStringIncludes(stderr, "Unset VK_DRIVER_FILES and VK_ICD_FILENAMES");
  },
});

test({
  name: "without a driver every program that needs one says so and ends with 1, before it touches any data",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    const folder = await Deno.makeTempDir();
    const checkpoint = `${folder}/none.safetensors`;
    await saveCheckpoint(checkpoint, {
      card: { model: "compact", classes: ["a", "b"], preprocess: defaultPreprocess(224), parameters: 1 },
      tensors: new Map([["features.0.bias", { shape: [1], data: Float32Array.of(1) }]]),
    });
    const programs = [
      ["commands/doctor.ts"],
      ["commands/predict.ts", "--checkpoint", checkpoint, "photo.jpg"],
      ["commands/evaluate.ts", "--checkpoint", checkpoint, "--data", "nowhere"],
      ["train.ts", "--data", "nowhere", "--out", `${folder}/run`],
      ["serve.ts", "--checkpoint", checkpoint, "--port", "0"],
    ];
    for (const program of programs) {
      const { code, stderr } = await runProgram(program);
      assertStringIncludes(stderr, "Cannot find a WebGPU adapter: no Vulkan", program[0]);
      assertStringIncludes(stderr, "`deno task setup` says what is missing", program[0]);
      assertEquals([code, stderr.trim().split("\n").length], [1, 1], `${program[0]}: ${stderr}`);
    }
    await Deno.remove(folder, { recursive: true });
  },
});
