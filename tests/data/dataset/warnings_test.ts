import { assertEquals } from "@std/assert";
import { dirname, join } from "@std/path";
import { openDataset } from "../../../data/dataset/folder.ts";
import { datasetWarnings } from "../../../data/dataset/warnings.ts";
import { testNeeding } from "../../permissions.ts";

const test = testNeeding("all");

/** What is said of a folder of files with these contents. */
async function warnings(files: Readonly<Record<string, string>>): Promise<string[]> {
  const dir = await Deno.makeTempDir();
  try {
    for (const [name, text] of Object.entries(files)) {
      await Deno.mkdir(join(dir, name.endsWith("/") ? name : dirname(name)), { recursive: true });
      if (!name.endsWith("/")) await Deno.writeTextFile(join(dir, name), text);
    }
    return datasetWarnings(await openDataset(dir, { seed: 1 }));
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

const many = (folder: string, count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`${folder}/${i}.jpg`, `${folder}${i}`]));
const split = (name: string, ...classes: [string, number][]) =>
  Object.assign({}, ...classes.map(([folder, count]) => many(`${name}/${folder}`, count)));

const train = split("train", ["cat", 4], ["dog", 4], ["panda", 4]);

test("a split with one photo of a class or none is said to say little", async () => {
  const fine = split("valid", ["cat", 2], ["dog", 2], ["panda", 2]);
  assertEquals(await warnings({ ...train, ...fine }), []);
  assertEquals(
    await warnings({ ...train, ...fine, ...split("test", ["cat", 1], ["panda", 3]) }),
    ["test has no photo of dog, 1 photo of cat: its figures say little"],
  );
  assertEquals(
    await warnings({ ...train, ...split("valid", ["cat", 1], ["dog", 1], ["panda", 1]) }),
    ["validation has 1 photo of each of cat, dog, panda: its figures say little"],
  );
});

test("the same photo in two classes contradicts itself, in training alone and across a split", async () => {
  const valid = split("valid", ["cat", 2], ["dog", 2], ["panda", 2]);
  const unclear = " whose labels contradict each other ";
  assertEquals(
    await warnings({ ...train, ...valid, "train/cat/x.jpg": "same", "train/dog/x.jpg": "same" }),
    [`1 photo lies in more than one class, in 2 files${unclear}(train/cat/x.jpg is train/dog/x.jpg)`],
  );
  assertEquals(
    await warnings({
      ...{ ...train, ...valid, "train/cat/x.jpg": "same", "train/cat/y.jpg": "same" },
      "valid/dog/x.jpg": "same",
    }),
    [
      `1 photo lies in more than one class, in 3 files${unclear}(train/cat/x.jpg is valid/dog/x.jpg)`,
      "1 of 7 held-out photos is a training photo too (valid/dog/x.jpg is train/cat/x.jpg)",
    ],
  );
  assertEquals(await warnings({ ...train, ...valid, "train/cat/x.jpg": "s", "train/cat/y.jpg": "s" }), []);
});

test("classes that are named alike are said, by case and by the form of their accents", async () => {
  const pairs = [["Dog", "dog", "in case only"]];
  // File systems that keep one of the two forms cannot hold both.
  if (Deno.build.os === "linux") {
    pairs.push(["e\u0301te", "\u00e9te", "in how their accents are encoded (Unicode normal form) only"]);
    for (const [a, b, how] of pairs) {
      const files = { ...split("train", [a!, 3], [b!, 3]), ...split("valid", [a!, 2], [b!, 2]) };
      assertEquals(await warnings(files), [`the classes ${a} and ${b} differ ${how}`]);
    }
  }
});

test("an empty class folder is left out with a warning", async () => {
  const valid = split("valid", ["cat", 2], ["dog", 2], ["panda", 2]);
  assertEquals(await warnings({ ...train, ...valid, "train/emu/": "", "valid/emu/": "" }), [
    "left out as no class, since its folder holds no photo: emu",
  ]);
});
