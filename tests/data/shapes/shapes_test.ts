import { assert, assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { decodeImage } from "../../../data/image/decode.ts";
import { DataError, openDataset } from "../../../data/dataset/folder.ts";
import { drawShape, SHAPES } from "../../../data/shapes/shape_drawing.ts";
import { ensureShapes } from "../../../data/shapes/shapes.ts";
import { testNeeding } from "../../permissions.ts";

const test = testNeeding("all");

const counts = { train: 9, valid: 4, test: 5 };

async function inTempDir(run: (dir: string) => Promise<void>) {
  const dir = await Deno.makeTempDir();
  try {
    await run(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

async function contents(dir: string): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  const { splits } = await openDataset(dir, { seed: 0 });
  for (const { path } of Object.values(splits).flat()) {
    files.set(path.slice(dir.length), (await Deno.readFile(path)).toBase64());
  }
  return files;
}

test("the shapes are a data set of real image files, split and balanced", async () => {
  await inTempDir(async (dir) => {
    const steps: [number, number][] = [];
    const path = await ensureShapes(join(dir, "a", "shapes"), {
      counts,
      onProgress: (done, total) => steps.push([done, total]),
    });
    const { name, classes, splits } = await openDataset(path, { seed: 0 });
    assertEquals([name, ...classes], ["shapes", "circle", "square", "star", "triangle"]);
    assertEquals([splits.train.length, splits.valid.length, splits.test.length], [9, 4, 5]);
    assertEquals(splits.train.map((s) => s.label), [0, 0, 0, 1, 1, 2, 2, 3, 3]);
    for (const { path } of splits.train) {
      const { width, height } = await decodeImage(await Deno.readFile(path));
      assert(width >= 128 && width <= 160 && height >= 128 && height <= 160, `${width}x${height}`);
    }
    assertEquals(steps.length, 18);
    assertEquals(steps.at(-1), [18, 18]);
  });
});

test("the same seed draws the same files and another seed others", async () => {
  await inTempDir(async (dir) => {
    const one = await contents(await ensureShapes(join(dir, "1"), { counts, seed: 1 }));
    assertEquals(await contents(await ensureShapes(join(dir, "again"), { counts, seed: 1 })), one);
    const other = await contents(await ensureShapes(join(dir, "2"), { counts, seed: 2 }));
    assertEquals([...other.keys()], [...one.keys()]);
    for (const [name, bytes] of one) assertNotEquals(other.get(name), bytes);
    assertEquals(new Set(one.values()).size, one.size, "no two pictures are alike");
  });
});

test("pictures of a split do not depend on the size of the others", async () => {
  await inTempDir(async (dir) => {
    const small = await contents(await ensureShapes(join(dir, "1"), { counts }));
    const large = await contents(await ensureShapes(join(dir, "2"), { counts: { ...counts, train: 13 } }));
    for (const [name, bytes] of small) assertEquals(large.get(name), bytes);
  });
});

test("a finished folder is left alone, and one that is incomplete or outdated drawn anew", async () => {
  await inTempDir(async (dir) => {
    const path = join(dir, "shapes");
    let drawn = 0;
    const ensure = async (seed: number) => {
      drawn = 0;
      await ensureShapes(path, { counts, seed, onProgress: () => drawn++ });
      return drawn;
    };
    assertEquals(await ensure(1), 18);
    assertEquals(await ensure(1), 0);
    await Deno.remove(join(path, "valid", "star", "0000.jpg"));
    assertEquals(await ensure(1), 18);
    assertEquals(await ensure(2), 18);
    await Deno.writeTextFile(join(path, ".shapes.json"), "half");
    assertEquals(await ensure(2), 18);
    assertEquals(
      [...Deno.readDirSync(dir)].map((entry) => entry.name),
      ["shapes"],
      "nothing else is left behind",
    );
  });
});

test("a folder that holds anything else is not touched", async () => {
  await inTempDir(async (dir) => {
    await Deno.writeTextFile(join(dir, "thesis.txt"), "precious");
    await assertRejects(() => ensureShapes(dir, { counts }), DataError, "it holds other things");
    assertEquals(await Deno.readTextFile(join(dir, "thesis.txt")), "precious");
  });
});

test("two programs that draw the same folder at once both succeed", async () => {
  await inTempDir(async (dir) => {
    const path = join(dir, "shapes");
    await Promise.all([ensureShapes(path, { counts }), ensureShapes(path, { counts })]);
    assertEquals((await openDataset(path, { seed: 0 })).splits.train.length, 9);
    assertEquals([...Deno.readDirSync(dir)].length, 1);
  });
});

Deno.test("the classes differ only in the shape: size, place and colours are drawn from the same numbers", () => {
  for (let id = 0; id < 20; id++) {
    const [circle, ...others] = SHAPES.map((shape) => drawShape(shape, id, 3));
    for (const other of others) {
      assertEquals([other.width, other.height], [circle!.width, circle!.height]);
      let differing = 0;
      for (let i = 0; i < circle!.data.length; i += 4) {
        if (circle!.data[i] !== other.data[i] || circle!.data[i + 1] !== other.data[i + 1]) differing++;
      }
      const share = differing / (circle!.width * circle!.height);
      assert(share > 0.01 && share < 0.5, `${share} of the pixels differ`);
    }
  }
});

Deno.test("a circle covers the area that its radius says", () => {
  // The pixels in which circle and square differ are those between them: (pi - 2) r^2.
  for (let id = 0; id < 10; id++) {
    const circle = drawShape("circle", id, 5), square = drawShape("square", id, 5);
    let differing = 0;
    for (let i = 0; i < circle.data.length; i += 4) {
      if (circle.data.subarray(i, i + 3).some((v, c) => Math.abs(v - square.data[i + c]!) > 2)) differing++;
    }
    const radius = Math.sqrt(differing / (Math.PI - 2));
    const shorter = Math.min(circle.width, circle.height);
    assert(radius > 0.2 * shorter && radius < 0.45 * shorter, `radius ${radius} of ${shorter}`);
  }
});
