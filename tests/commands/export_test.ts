import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { writeCheckpoint } from "../formats/checkpoints.ts";
import { testNeeding } from "../permissions.ts";

const test = testNeeding("all");
const COMMAND = fromFileUrl(new URL("../../commands/export.ts", import.meta.url));

test("export writes ONNX, says what it replaces, and refuses what cannot be meant", async () => {
  const dir = await Deno.makeTempDir();
  const run = async (...args: string[]) => {
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", COMMAND, ...args],
      cwd: dir,
    }).output();
    const [out, error] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
    return { code, out: out!, error: error! };
  };
  await Deno.mkdir(join(dir, "runs/five"), { recursive: true });
  await writeCheckpoint(join(dir, "runs/five/best.safetensors"), 1);
  const first = await run("runs", "a.onnx");
  assertMatch(first.out, /^a\.onnx: \d+ bytes\n$/);
  assertEquals(first.error, `Checkpoint ${join("runs", "five", "best.safetensors")}\n`);
  const second = await run("runs/five", "a.onnx");
  assertMatch(second.out, /^a\.onnx: \d+ bytes, replaced the file that was there\n$/);
  assertEquals(second.error, "");
  assertEquals((await run("runs/five", "without_ending")).code, 0);
  for (
    const [args, sentence] of [
      [["runs/five", "out.pt"], "cannot write out.pt: .pt says another format than ONNX, call it out.onnx"],
      [["runs/five", "runs"], "cannot write runs: it is a folder, wanted a file in it, OUT.onnx"],
      [["runs/five"], "got 1 argument, expected exactly 2: CHECKPOINT OUT.onnx"],
      [["runs/five", "a.onnx", "b"], 'unexpected argument "b", expected CHECKPOINT OUT.onnx'],
      [
        ["--checkpoint", "runs/five"],
        "unknown flag --checkpoint: it is the first argument: deno task export",
      ],
      [
        ["runs/five", "a.onnx", "--web", "site"],
        'unexpected argument "a.onnx", expected deno task export CHECKPOINT',
      ],
      [["runs/five", "--web", "a.onnx"], "cannot write a.onnx: it is a file, wanted a folder"],
      [
        ["runs/five", "--web", "runs"],
        "cannot write runs: there are other files in it, wanted a new or empty folder",
      ],
      [["runs/five", "--out=a.onnx"], "unknown flag --out: it is the second argument: deno task export"],
      [["runs/five", "--format", "onnx"], "unknown flag --format: what is written is always ONNX"],
    ] as const
  ) {
    const { code, error } = await run(...args);
    assertStringIncludes(error, `deno task export: ${sentence}`);
    assertEquals(code, 2);
  }
  assertEquals([...Deno.readDirSync(dir)].map(({ name }) => name).sort(), [
    "a.onnx",
    "runs",
    "without_ending",
  ]);
  assertMatch(
    (await run("--help")).out,
    /^deno task export \[FLAGS\] CHECKPOINT OUT\.onnx, or CHECKPOINT --web DIR\n/,
  );
  await Deno.remove(dir, { recursive: true });
});
