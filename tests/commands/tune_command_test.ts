import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { testNeeding } from "../permissions.ts";

const test = testNeeding("all");

const root = new URL("../../", import.meta.url);

async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const command = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", "commands/tune.ts", ...args],
    cwd: root,
    stdin: "null",
  });
  const { code, stdout, stderr } = await command.output();
  const text = new TextDecoder();
  return { code, out: text.decode(stdout), err: text.decode(stderr) };
}

const SMALL = ["--inference", "--size", "61", "--batch-size", "1", "--classes", "3"];

test("tune says how long it takes, shows each product and writes the table's file", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const file = join(folder, "tiles.json");
    const { code, out, err } = await run(...SMALL, "--file", file);
    assertEquals(code, 0, err);
    assertStringIncludes(out, "5 products, ");
    assertStringIncludes(out.split("\n")[0]!, "for at most 3 min");
    assertStringIncludes(out, " features.0 forward 900x16x36: ");
    assertStringIncludes(out, "5/5 ");
    assertStringIncludes(out, "all products: ");
    assertStringIncludes(out, `wrote ${file}, table `);
    assertEquals(JSON.parse(await Deno.readTextFile(file)).version, 3);

    const again = await run(...SMALL, "--file", file, "--json");
    assertEquals(again.code, 0, again.err);
    const { outcomes, complete, table } = JSON.parse(again.out);
    assertEquals([outcomes.length, complete, table.length], [5, true, 16]);
    assert(
      outcomes.every((o: { milliseconds: number; wrong: unknown[] }) =>
        o.milliseconds > 0 && o.wrong.length === 0
      ),
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

test("a tune that is interrupted keeps what it has found", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", "commands/tune.ts", ...SMALL, "--file", join(folder, "tiles.json")],
      ...{ cwd: root, stdin: "null", stdout: "piped", stderr: "null" },
    }).spawn();
    let out = "", stopping = false;
    for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
      out += text;
      if (!stopping && out.includes("1/5 ")) {
        stopping = true;
        child.kill("SIGINT");
      }
    }
    assertEquals((await child.status).code, 0);
    assertEquals(JSON.parse(await Deno.readTextFile(join(folder, "tiles.json"))).version, 3);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

for (
  const args of [["--model", "vgg"], ["--batch-size", "0"], ["--minutes", "0"], ["--size", "60"], ["extra"]]
) {
  test(`tune refuses ${args.join(" ")} with exit code 2`, async () => {
    const { code, out, err } = await run(...args);
    assertEquals([code, out], [2, ""]);
    assertStringIncludes(err, args[0]!.replace("--", ""));
  });
}

test("tune says how small an input its model takes", async () => {
  const { err } = await run("--size", "62", "--model", "alexnet");
  assertEquals(err, "deno task tune: --size is 62, alexnet wants at least 63 (--help lists the flags)\n");
});

test("tune names a file that it cannot write before it searches", async () => {
  const { code, out, err } = await run(...SMALL, "--file", "/dev/null/tiles.json");
  assertEquals([code, out], [1, ""]);
  assertStringIncludes(err, "/dev/null");
});
