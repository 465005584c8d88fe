import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { architecture } from "../../model/architectures/registry.ts";
import {
  encodeCheckpoint,
  loadCheckpoint,
  loadTensors,
  saveTensors,
} from "../../model/checkpoint/checkpoint.ts";
import { Network } from "../../model/network.ts";
import { withGpu } from "../model/harness.ts";
import { haveSeed, seedPath } from "../model/hermosayhl_cnn.ts";
import { someCheckpoint } from "../formats/checkpoints.ts";
import { decode } from "../formats/wire.ts";
import { testNeeding } from "../permissions.ts";

const test = testNeeding("all");

const root = new URL("../../", import.meta.url).pathname;

/** Runs a command line of this project; paths in `args` are as they are. */
async function run(script: string, args: string[]): Promise<{ code: number; out: string; err: string }> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", join(root, script), ...args],
    env: { NO_COLOR: "1" },
  }).output();
  const text = new TextDecoder();
  return { code, out: text.decode(stdout), err: text.decode(stderr) };
}

async function inFolder(work: (path: (name: string) => string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await work((name) => join(folder, name));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** A file of the C++ program for three classes: `values` small numbers. */
function seedFile(values: number): Uint8Array {
  return new Uint8Array(Float32Array.from({ length: values }, (_, i) => (i % 17 - 8) / 100).buffer);
}

/** The command fails with one line that says `words`, and OUT is what it was. */
async function fails(script: string, args: string[], code: number, words: string): Promise<void> {
  const out = args[1]!;
  await Deno.writeTextFile(out, "old");
  const result = await run(script, args);
  assertEquals(result.code, code, result.err);
  assertEquals(result.err.trim().split("\n").length, 1, result.err);
  assert(result.err.includes(words), result.err);
  assertEquals(await Deno.readTextFile(out), "old");
}

test("convert writes a checkpoint that can be served", () =>
  inFolder(async (path) => {
    await Deno.writeFile(path("a.model"), seedFile(111_267));
    const { code, out } = await run("commands/convert.ts", [
      path("a.model"),
      path("a.safetensors"),
      "--classes",
      "x,y,z",
    ]);
    assertEquals(code, 0);
    assert(out.includes("compact, 111267 parameters, classes x, y, z"), out);
    const { card, tensors } = await loadCheckpoint(path("a.safetensors"));
    assertEquals([card.classes, card.preprocess.channels], [["x", "y", "z"], "BGR"]);
    assertEquals(tensors.size, 10);
    assertEquals([...Deno.readDirSync(path("."))].length, 2);
  }));

test("convert refuses bad files and bad calls in one line and overwrites nothing", () =>
  inFolder(async (path) => {
    const [model, out] = [path("a.model"), path("a.safetensors")];
    const classes = ["--classes", "dog,panda,bird"];
    await Deno.writeFile(model, seedFile(111_266));
    await fails(
      "commands/convert.ts",
      [model, out, ...classes],
      1,
      "it has 445064 bytes, a model of 3 classes has 445068",
    );
    await Deno.writeFile(model, seedFile(111_747));
    await fails(
      "commands/convert.ts",
      [model, out, ...classes],
      1,
      "lacks the batch norms' moving mean and variance",
    );
    await fails("commands/convert.ts", [model, out, ...classes, "--data", path("nowhere")], 1, "nowhere");
    await Deno.writeFile(model, seedFile(111_267));
    await fails("commands/convert.ts", [model, out, "--classes", "a,b"], 1, "a model of 2 classes has");
    await fails("commands/convert.ts", [model, out], 2, "--classes is missing");
    await fails(
      "commands/convert.ts",
      [model, out, "--classes", "a,b,a"],
      2,
      "--classes names a class twice",
    );
    await fails("commands/convert.ts", [model, out, "--classes", "a,,c"], 2, "--classes got");
    await fails("commands/convert.ts", [model, out, ...classes, "--what"], 2, "unknown flag --what");
    await fails("commands/convert.ts", [model, out, "extra", ...classes], 2, 'unexpected argument "extra"');
    await fails(
      "commands/convert.ts",
      [path("absent.model"), out, ...classes],
      1,
      "absent.model: there is no such file",
    );
    const { code, err } = await run("commands/convert.ts", [model, ...classes]);
    assertEquals([code, err.includes("expected exactly 2: SEED.model OUT.safetensors")], [2, true]);
    await fails("commands/convert.ts", [path("."), out, ...classes], 1, "it is a folder, wanted a file");
    const within = await run("commands/convert.ts", [model, path("no/such/folder.safetensors"), ...classes]);
    assertEquals([within.code, within.err.includes("Cannot write")], [1, true], within.err);
  }));

test("export writes an ONNX model, and refuses what it cannot use", () =>
  inFolder(async (path) => {
    const [from, out] = [path("a.safetensors"), path("a.onnx")];
    await withGpu(async (gpu) => {
      using network = new Network(gpu, architecture("compact", { classes: 2, size: 67 }));
      const good = await someCheckpoint(network);
      await Deno.writeFile(from, encodeCheckpoint(good));
      const { code, out: said } = await run("commands/export.ts", [from, out]);
      assertEquals(code, 0);
      const bytes = await Deno.readFile(out);
      assert(said.includes(`${bytes.length} bytes`), said);
      assertEquals(decode(bytes).get(1), [8]);
      await Deno.mkdir(path("run"));
      await Deno.copyFile(from, path("run/best.safetensors"));
      const folder = await run("commands/export.ts", [path("run"), path("b.onnx")]);
      assertEquals([folder.code, await Deno.readFile(path("b.onnx"))], [0, bytes], folder.err);
      await Deno.remove(path("b.onnx"));
      await Deno.remove(path("run"), { recursive: true });

      const { card, tensors } = good;
      await Deno.writeFile(from, encodeCheckpoint({ card: { ...card, model: "vgg" }, tensors }));
      await fails("commands/export.ts", [from, out], 1, "Cannot find model vgg: known ones are compact,");
      await Deno.writeFile(from, encodeCheckpoint({ card: { ...card, classes: ["a"] }, tensors }));
      await fails(
        "commands/export.ts",
        [from, out],
        1,
        "classifier.1.weight has shape [2,128], wanted [1,128]",
      );
      const tiny = { ...card, preprocess: { ...card.preprocess, height: 32, width: 32 } };
      await Deno.writeFile(from, encodeCheckpoint({ card: tiny, tensors }));
      await fails("commands/export.ts", [from, out], 1, "its input is 32x32, wanted at least 61x61");
      await saveTensors(from, tensors);
      await fails("commands/export.ts", [from, out], 1, "its metadata names no model");
      const whole = encodeCheckpoint(good);
      await Deno.writeFile(from, whole.subarray(0, whole.length - 4));
      await fails("commands/export.ts", [from, out], 1, "Cannot read");
      await fails("commands/export.ts", [from, out, "third"], 2, 'unexpected argument "third"');
      await fails("commands/export.ts", [path("absent.safetensors"), out], 1, "there is no such file");
    });
  }));

test({
  name: "an older file of the C++ program is converted with statistics from photos",
  ignore: !haveSeed,
  fn: () =>
    inFolder(async (path) => {
      const from = seedPath("models/bn_legacy_iter_20000_train_0.988_valid_0.770.model");
      const photos = seedPath("animals");
      const args = [from, path("bn.safetensors"), "--classes", "dog,panda,bird", "--data", photos];
      const { code, err } = await run("commands/convert.ts", args);
      assertEquals(code, 0, err);
      assert(/Moving statistics estimated from \d+ training photos/.test(err), err);
      const { tensors } = await loadTensors(path("bn.safetensors"));
      for (const name of ["features.1.running_var", "features.11.running_var"]) {
        const { data } = tensors.get(name)!;
        assert(data.every((v) => v > 0) && new Set(data).size > 1, name);
      }
    }),
});
