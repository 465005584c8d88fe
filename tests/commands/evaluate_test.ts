import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { dirname, join } from "@std/path";
import { drawShape, encodeJpeg, type Shape, SHAPES } from "../../data/shapes/shape_drawing.ts";
import { architecture } from "../../model/architectures/registry.ts";
import { saveCheckpoint } from "../../model/checkpoint/checkpoint.ts";
import { Network } from "../../model/network.ts";
import { someCheckpoint } from "../formats/checkpoints.ts";
import { withGpu } from "../model/harness.ts";
import { testNeeding } from "../permissions.ts";

const test = testNeeding("all");

const script = new URL("../../commands/evaluate.ts", import.meta.url).pathname;

/** A folder with a checkpoint for the four shapes and a picture at each of these paths, whose class folder names what it shows. */
async function withPhotos(
  paths: readonly string[],
  work: (evaluate: (...args: string[]) => ReturnType<typeof run>, data: string) => Promise<void>,
) {
  const dir = await Deno.makeTempDir();
  try {
    const checkpoint = join(dir, "a.safetensors"), data = join(dir, "data");
    await withGpu(async (gpu) => {
      using network = new Network(gpu, architecture("compact", { classes: SHAPES.length, size: 67 }));
      const { card, tensors } = await someCheckpoint(network);
      await saveCheckpoint(checkpoint, { card: { ...card, classes: [...SHAPES] }, tensors });
    });
    for (const [id, path] of paths.entries()) {
      const file = join(data, path), shape = path.split("/").at(-2) as Shape;
      await Deno.mkdir(dirname(file), { recursive: true });
      await Deno.writeFile(file, await encodeJpeg(drawShape(shape, id, 1)));
    }
    const common = ["--checkpoint", checkpoint, "--data", data, "--cache", join(dir, "cache")];
    await work((...args) => run([...common, ...args]), data);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

async function run(args: string[]): Promise<{ code: number; lines: string[]; err: string }> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", script, ...args],
    env: { NO_COLOR: "1" },
  }).output();
  const text = new TextDecoder();
  return { code, lines: text.decode(stdout).trim().split("\n"), err: text.decode(stderr) };
}

const photos = (folder: string, count: number) =>
  Array.from({ length: count }, (_, i) => `${folder}/${i}.jpg`);
const ofAll = (folder: string, count: number) => SHAPES.flatMap((shape) => photos(folder + shape, count));

test("a plain folder of classes is evaluated whole, and its seeded split only when asked for", () =>
  withPhotos(ofAll("", 3), async (evaluate) => {
    const { code, lines, err } = await evaluate();
    assertEquals(code, 0, err);
    assertEquals(
      lines[0],
      "Split all: 12 images of data (it has no split of its own; train would test on --split test)",
    );
    assertStringIncludes(lines[1]!, "12 images, accuracy");
    const asked = await evaluate("--split", "test");
    assertEquals(asked.lines[0], "Split test: 4 images of data (split 80/10/10 by class with seed 1)");
    assertStringIncludes(asked.lines[1]!, "4 images, accuracy");
  }));

test("a folder with a test split alone is evaluated whole", () =>
  withPhotos(ofAll("test/", 2), async (evaluate) => {
    const { code, lines, err } = await evaluate();
    assertEquals(code, 0, err);
    assertEquals(lines[0], "Split all: 8 images of data (folders test)");
    const none = await evaluate("--split", "valid");
    assertEquals(none.code, 1);
    assertEquals(none.err, "deno task evaluate: Cannot evaluate: data has no valid images (folders test)\n");
  }));

test("a SPLIT.tsv with test rows alone is evaluated on those", () =>
  withPhotos(ofAll("", 2), async (evaluate, data) => {
    const rows = SHAPES.map((shape) => `test\t${shape}\t1.jpg\n`);
    await Deno.writeTextFile(join(data, "SPLIT.tsv"), `split\tclass\tfile\n${rows.join("")}`);
    const { code, lines, err } = await evaluate();
    assertEquals(code, 0, err);
    assertEquals(lines[0], "Split all: 4 images of data (SPLIT.tsv)");
  }));

test("a folder with training photos is evaluated on its test split, or whole when asked to", () =>
  withPhotos([...ofAll("train/", 2), ...ofAll("test/", 1)], async (evaluate) => {
    const { lines, err } = await evaluate("--json");
    assertEquals([lines.length, JSON.parse(lines[0]!).n], [1, 4]);
    assertStringIncludes(
      err,
      "Split test: 4 images of data (folders test, train; validation is 10 % of train",
    );
    const all = await evaluate("--json", "--split", "all");
    assertEquals(JSON.parse(all.lines[0]!).n, 12);
  }));

test("classes of the checkpoint that the folder lacks are said, and it is evaluated on the others", () =>
  withPhotos([...photos("circle", 2), ...photos("star", 1)], async (evaluate) => {
    const { code, lines, err } = await evaluate("--json");
    assertEquals(code, 0, err);
    assertStringIncludes(err, "data has no image of square, triangle");
    const { n, perClass, confusion } = JSON.parse(lines[0]!);
    const told = perClass.map((c: { class: string; n: number }) => [c.class, c.n]);
    assertEquals([n, told], [3, SHAPES.map((name, k) => [name, [2, 0, 1, 0][k]])]);
    assertEquals(confusion.map((row: number[]) => row.reduce((a, b) => a + b)), [2, 0, 1, 0]);
    assert(perClass[1].recall === null);
  }));
