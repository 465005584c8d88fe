import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { ALL_CASES } from "../../model/cases.ts";
import { testNeeding } from "../permissions.ts";

const test = testNeeding("all");

const root = new URL("../../", import.meta.url);

async function doctor(...args: string[]): ReturnType<typeof doctorWith> {
  return await doctorWith({}, ...args);
}

async function doctorWith(
  env: Record<string, string>,
  ...args: string[]
): Promise<{ code: number; out: string; err: string }> {
  const command = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", "commands/doctor.ts", ...args],
    cwd: root,
    env,
    stdin: "null",
  });
  const { code, stdout, stderr } = await command.output();
  const text = new TextDecoder();
  return { code, out: text.decode(stdout), err: text.decode(stderr) };
}

test("doctor prints the adapter and a line for each case, and leaves with 0", async () => {
  const { code, out } = await doctor("--only", "ema");
  assertEquals(code, 0, out);
  assertStringIncludes(out, "adapter ");
  assertStringIncludes(out, "driver    ");
  assertStringIncludes(out, "maxStorageBufferBindingSize");
  const count = ALL_CASES.filter((c) => c.op === "ema").length;
  assertEquals(out.split("\n").filter((line) => /^ok .*ema /.test(line)).length, count);
  assertStringIncludes(out, `${count} passed, 0 failed`);
});

test("doctor says which driver serves, and why where that was decided", async () => {
  if (Deno.build.os !== "linux") return;
  const { out } = await doctorWith({ ALEXNET_DRIVER: "system", VK_DRIVER_FILES: "" }, "--only", "ema");
  assertMatch(out, /^driver {4}.*, installed in the system, because it was asked for$/m);
});

test("doctor --json prints one object with every check", async () => {
  const { code, out } = await doctor("--json", "--only", "relu");
  assertEquals(code, 0, out);
  const { adapter, rows, passed, failed, seconds } = JSON.parse(out);
  assert(adapter.name.length > 0 && adapter.limits.maxBufferSize > 0);
  assertEquals([passed, failed], [rows.length, 0]);
  assert(
    rows.every((row: { checks: { error: number; tolerance: number }[] }) =>
      row.checks.length > 0 && row.checks.every(({ error, tolerance }) => error <= tolerance)
    ),
  );
  assert(seconds > 0);
});

for (const args of [["--only", "gelu"], ["--jsonn"], ["relu"], ["--only"]]) {
  test(`doctor refuses ${args.join(" ")} with exit code 2`, async () => {
    const { code, out, err } = await doctor(...args);
    assertEquals(code, 2);
    assertEquals(out, "");
    assertStringIncludes(err, args.at(-1)!.replace("--only", "only"));
  });
}
