import { assert, assertEquals, assertRejects } from "@std/assert";
import { dirname, join } from "@std/path";
import { DataError, openDataset } from "../../../data/dataset/folder.ts";
import { splitNamed } from "../../../data/dataset/listing.ts";
import { datasetWarnings } from "../../../data/dataset/warnings.ts";
import { testNeeding } from "../../permissions.ts";

const test = testNeeding("all");

type Files = Readonly<Record<string, string>>;

/** Some photos in each of these folders. */
const photos = (...folders: string[]): Files =>
  Object.fromEntries(
    folders.flatMap((folder) => [1, 2, 3].map((i) => [`${folder}/${i}.jpg`, `${folder}${i}`])),
  );

async function withFiles<T>(files: Files, run: (dir: string) => Promise<T>): Promise<T> {
  const dir = await Deno.makeTempDir();
  try {
    for (const [name, text] of Object.entries(files)) {
      await Deno.mkdir(dirname(join(dir, name)), { recursive: true });
      await Deno.writeTextFile(join(dir, name), text);
    }
    return await run(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

/** What is found in a folder of these files, its own path taken out of every sentence. */
function read(files: Files, classes?: string[], rest: { allowMissing?: boolean } = {}) {
  return withFiles(files, async (dir) => {
    const found = await openDataset(dir, { seed: 1, classes, ...rest });
    const short = (text: string) => text.replaceAll(dir, "DIR");
    return {
      ...found,
      counts: Object.values(found.splits).map(({ length }) => length),
      notes: found.notes.map(short),
      warnings: datasetWarnings(found).map(short),
      left: found.leftOut.map(({ path, reason }) => `${path.slice(dir.length + 1)} ${reason}`),
    };
  });
}

async function refused(files: Files): Promise<string> {
  return await withFiles(files, async (dir) => {
    const error = await assertRejects(() => openDataset(dir, { seed: 1 }), DataError);
    assert(!error.message.includes("\n"), error.message);
    return error.message.replaceAll(dir, "DIR");
  });
}

test("splits are known by the usual words in any case", async () => {
  const words = {
    train: ["train", "Train", "TRAIN", "training", "training_set", "trainset", "Train-Data"],
    valid: ["val", "Val", "valid", "VALIDATION", "val_images"],
    test: ["TEST", "testing", "test set"],
  };
  for (const [split, names] of Object.entries(words)) {
    for (const name of names) assertEquals(splitNamed(name) as string | undefined, split, name);
  }
  for (const name of ["tests", "trainer", "dev", "images", "dataset", ""]) {
    assertEquals(splitNamed(name), undefined);
  }
  for (const [a, b, c] of [["Train", "Val", "TEST"], ["training", "validation", "testing"]] as const) {
    const { classes, counts, origin } = await read(photos(`${a}/cat`, `${a}/dog`, `${b}/cat`, `${c}/dog`));
    assertEquals([classes, counts], [["cat", "dog"], [6, 3, 3]]);
    assertEquals(origin, `folders ${[a, b, c].toSorted().join(", ")}`);
  }
});

test("a split in two spellings is refused by both", async () => {
  assertEquals(
    await refused(photos("train/cat", "Train/dog", "val/cat")),
    "Cannot use DIR: more than one of its folders is the train split (Train and train), expected one",
  );
});

test("what systems, archives and labelling programs leave beside classes or splits is left out and said", async () => {
  const rest = {
    "labels/a.txt": "x",
    "annotations/deep/a.xml": "",
    "__MACOSX/cat/._1.jpg": "",
    ".DS_Store": "",
  };
  const plain = await read({ ...photos("cat", "dog"), ...rest, "cat/._1.jpg": "", "cat/Thumbs.db": "x" });
  assertEquals(plain.classes, ["cat", "dog"]);
  assertEquals(plain.notes, ["left out as no classes: __MACOSX/, annotations/, labels/"]);
  assertEquals(plain.left, ["cat/._1.jpg hidden", "cat/Thumbs.db no photo"]);
  const split = await read({
    ...photos("Train/cat", "Val/cat"),
    ...rest,
    "Train/labels/a.txt": "x",
    "runs/a": "",
  });
  assertEquals([split.classes, split.counts], [["cat"], [3, 3, 0]]);
  assertEquals(split.notes, [
    "left out as no classes: __MACOSX/, annotations/, labels/",
    "left out as no splits: runs/",
    "left out as no classes: labels/",
  ]);
  // A class may be called so.
  assertEquals((await read(photos("labels", "bottles"))).classes, ["bottles", "labels"]);
});

test("a folder that lies alone around the data set is passed through, and said", async () => {
  const note = (path: string) => `${path}/ is the only folder in DIR: its folders are taken`;
  const plain = await read({
    ...photos("dataset/cat", "dataset/dog"),
    "README.md": "",
    "dataset/.x": "",
    "dataset/notes.txt": "",
  });
  assertEquals([plain.classes, plain.notes], [["cat", "dog"], [note("dataset")]]);
  assertEquals(plain.left, ["dataset/.x hidden", "dataset/notes.txt in no class folder"]);
  const deep = await read(photos("a/b/Train/cat", "a/b/Test/cat"));
  assertEquals([deep.classes, deep.counts, deep.notes], [["cat"], [2, 1, 3], [note("a/b")]]);
  const images = await read({ ...photos("images/cat", "images/dog"), "labels/1.txt": "" });
  assertEquals(images.classes, ["cat", "dog"]);
  const twice = await read(photos("training_set/training_set/cat", "training_set/training_set/dog"));
  assertEquals(twice.classes, ["cat", "dog"]);
  // In a split a folder that is alone may be a class.
  const one = await read(photos("train/cat", "train/dog", "valid/cat/a", "valid/cat/b"));
  assertEquals([one.classes, one.counts], [["cat", "dog"], [6, 6, 0]]);
  const table = await read({ ...photos("x/cat"), "x/SPLIT.tsv": "split\tclass\tfile\ntrain\tcat\t1.jpg" });
  assertEquals([table.origin, table.counts], ["SPLIT.tsv", [1, 0, 0]]);
});

test("a folder that was asked for is a class, whatever it is called or holds", async () => {
  assertEquals((await read(photos("pets/a", "pets/b"), ["pets"])).counts.reduce((a, b) => a + b), 6);
  assertEquals((await read(photos("cat/a", "cat/b"), ["cat", "dog"], { allowMissing: true })).missing, [
    "dog",
  ]);
  assertEquals((await read(photos("Train", "Test"), ["Train", "Test"])).classes, ["Train", "Test"]);
  assertEquals((await read(photos("images"), ["images"])).classes, ["images"]);
});

test("folders in classes that may be meant as classes or splits are said, with what to do", async () => {
  const { warnings } = await read(photos("animals/cat", "animals/dog", "cars/red", "cars/blue", "sky"));
  assertEquals(
    warnings[0],
    "the folders in animals (cat, dog) are no classes of their own (and so in cars); " +
      "for a class each, move them to where animals is, or give --data DIR/animals",
  );
  const inside = await read(photos("cat/train", "cat/test", "dog/train", "dog/test"));
  assertEquals(
    inside.warnings[0],
    "the folders in cat (test, train) are no splits (and so in dog); for splits, lay " +
      "the photos out as DIR/test/cat/*.jpg",
  );
  const images = await read(photos("cat", "dog", "images"));
  assertEquals(images.warnings[0], "images is taken for a class beside cat, dog; --classes chooses others");
  assert((await read(photos("cat", "dog"))).warnings.every((text) => text.endsWith("figures say little")));
});

test("labels that are no folders are refused with the layout that is wanted", async () => {
  const box = "0 0.5 0.5 0.25 0.25\n", wanted = "expected a folder for each class, ";
  const boxes = (at: string) =>
    `Cannot use DIR: its labels are boxes for detection (such as ${at}), which are not read, ${wanted}`;
  assertEquals(
    await refused({ ...photos("images/train", "images/val"), "labels/train/1.txt": box, "data.yaml": "" }),
    `${boxes("labels/train/1.txt")}images/train/<class>/*.jpg`,
  );
  assertEquals(
    await refused({ ...photos("train/images", "valid/images"), "train/labels/1.txt": box }),
    `${boxes("train/labels/1.txt")}train/<class>/*.jpg`,
  );
  assertEquals(await refused({ "1.jpg": "", "1.txt": box }), `${boxes("1.txt")}photos in DIR/<class>/*.jpg`);
  const table = (at: string) => `Cannot use DIR: its labels are in ${at}, which are not read, ${wanted}`;
  assertEquals(
    await refused({ "1.jpg": "", "labels.csv": "file,class" }),
    `${table("labels.csv")}photos in DIR/<class>/*.jpg`,
  );
  assertEquals(
    await refused({ ...photos("images"), "labels.csv": "" }),
    `${table("labels.csv")}photos in DIR/<class>/*.jpg`,
  );
  assertEquals(
    await refused({ "train/1.jpg": "", "test/1.jpg": "", "train.csv": "" }),
    `${table("train.csv")}train/<class>/*.jpg`,
  );
  assertEquals(
    await refused({ ...photos("set/images"), "set/annotations/trimaps/1.png": "" }),
    "Cannot use DIR: its photos are in no class folder, expected photos in DIR/<class>/*.jpg",
  );
  assertEquals(
    await refused(photos("photos")),
    "Cannot use DIR: its photos are in no class folder, expected photos in DIR/<class>/*.jpg",
  );
});
