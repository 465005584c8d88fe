/**
 * Kernels and a training step under other implementations of WebGPU and other drivers than this machine's usual: SwiftShader, which comes
 * with Chromium, and Dawn.
 */
import { assertEquals } from "@std/assert";
import { fetchDawn } from "../../commands/drivers/dawn.ts";
import { DAWN_FOLDER, IMPLEMENTATIONS } from "../../engine/implementation.ts";
import { fromFileUrl } from "@std/path";
import { SWIFTSHADER } from "./browser.ts";

const ROOT = new URL("../../", import.meta.url);

/** Runs a command of the project on SwiftShader; what it printed. */
async function run(backend: string, script: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", fromFileUrl(new URL(script, ROOT)), "--backend", backend, ...args],
    env: { VK_DRIVER_FILES: SWIFTSHADER!, XDG_RUNTIME_DIR: Deno.env.get("XDG_RUNTIME_DIR") ?? "/tmp" },
    cwd: ROOT,
  }).output();
  assertEquals(code, 0, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}

if (SWIFTSHADER !== undefined) await fetchDawn(fromFileUrl(new URL(DAWN_FOLDER, ROOT)));

for (const backend of IMPLEMENTATIONS) {
  Deno.test({
    name: `kernels compute what they should on SwiftShader with --backend ${backend}${
      SWIFTSHADER ? "" : " (needs Chromium)"
    }`,
    ignore: SWIFTSHADER === undefined,
    fn: async () => {
      const { adapter, passed, failed } = JSON.parse(
        await run(backend, "commands/doctor.ts", "--quick", "--json"),
      );
      assertEquals(/SwiftShader/.test(adapter.name), true, adapter.name);
      assertEquals(/Dawn/.test(adapter.runtime), backend === "dawn", adapter.runtime);
      assertEquals([failed, passed > 40], [0, true]);
    },
  });
}

Deno.test({
  name: `a step of training is the same with Deno's own WebGPU and with Dawn${
    SWIFTSHADER ? "" : " (needs Chromium)"
  }`,
  ignore: SWIFTSHADER === undefined,
  fn: async () => {
    const dir = await Deno.makeTempDir();
    try {
      const losses = [];
      for (const backend of IMPLEMENTATIONS) {
        const out = `${dir}/${backend}`;
        const flags = ["--size", "61", "--batch-size", "4", "--steps", "1", "--json", "--out", out];
        const text = await run(backend, "train.ts", ...flags, "--cache", `${dir}/cache`);
        const events = text.trim().split("\n").map((line) => JSON.parse(line));
        losses.push(events.find(({ event }) => event === "step").loss);
      }
      assertEquals(losses[0] > 0, true);
      assertEquals(losses[0], losses[1]);
    } finally {
      await Deno.remove(dir, { recursive: true });
    }
  },
});
