import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { testNeeding } from "../permissions.ts";

const test = testNeeding("all");

const root = new URL("../../", import.meta.url);

async function bench(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const command = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", "bench/bench.ts", ...args],
    cwd: root,
    stdin: "null",
  });
  const { code, stdout, stderr } = await command.output();
  const text = new TextDecoder();
  return { code, out: text.decode(stdout), err: text.decode(stderr) };
}

test("bench --json prints one document: adapter, ceilings, and a checked row for each launch", async () => {
  const { code, out, err } = await bench("--quick", "--json", "--model", "compact", "--only", "max_pool");
  assertEquals(code, 0, err);
  const report = JSON.parse(out);
  assertEquals([report.bench, report.kernels.length], ["engine", 2]);
  assertStringIncludes(report.command, "--only max_pool");
  assert(report.adapter.name.length > 0 && report.ceilings.gigaflops > 0 && report.ceilings.gigabytes > 0);
  assert(["timestamp", "wall"].includes(report.clock));
  for (const row of report.kernels) {
    assert(
      row.correct && row.error <= 1e-5 && row.gigabytes > 0 && row.milliseconds > 0,
      JSON.stringify(row),
    );
    assertEquals([row.group, row.bound], ["compact, batch 2", "memory"]);
  }
  assertEquals([report.training, report.inference, report.host, report.photos], [[], [], [], []]);
  assertStringIncludes(err, "ceilings:");
});

test("bench prints its tables without --json, and tells of its progress on standard error", async () => {
  const { code, out, err } = await bench("--quick", "--model", "compact", "--only", "training");
  assertEquals(code, 0, err);
  assertStringIncludes(out, "| compact |");
  assertStringIncludes(out, "Ceilings measured first");
  assertStringIncludes(err, "training compact batch 2");
});

for (
  const [args, said] of [
    [["--modle", "compact"], "unknown flag --modle"],
    [["--model", "vgg"], "--model is vgg"],
    [["--batch", "0"], "--batch got"],
    [["--repeats", "many"], "--repeats got"],
    [["compact"], "unexpected argument"],
    [["--quick", "--model", "compact", "--only", "no such thing"], "nothing has that in its name"],
  ] as const
) {
  test(`bench refuses ${args.join(" ")} with exit code 2`, async () => {
    const { code, out, err } = await bench(...args);
    assertEquals([code, out], [2, ""]);
    assertStringIncludes(err, said);
  });
}
