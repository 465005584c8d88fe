import { assert, assertEquals, assertNotEquals, assertRejects, assertThrows } from "@std/assert";
import { dirname, join } from "@std/path";
import { DataError, openDataset, type Sample } from "../../../data/dataset/folder.ts";
import { requireBatch } from "../../../data/dataset/requirements.ts";
import { otherClassesText } from "../../../data/dataset/left_out.ts";
import { present, testNeeding } from "../../permissions.ts";

const test = testNeeding("all");

/** A temporary folder with these files; an empty name at the end of a path makes an empty folder. */
async function withFolder(files: Record<string, string> | string[], run: (dir: string) => Promise<void>) {
  const dir = await Deno.makeTempDir();
  try {
    for (
      const [name, text] of Array.isArray(files) ? files.map((f) => [f, ""] as const) : Object.entries(files)
    ) {
      const path = join(dir, name);
      await Deno.mkdir(name.endsWith("/") ? path : dirname(path), { recursive: true });
      if (!name.endsWith("/")) await Deno.writeTextFile(path, text);
    }
    await run(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

const photos = (folder: string, count: number) =>
  Array.from({ length: count }, (_, i) => `${folder}/${String(i).padStart(3, "0")}.jpg`);
const names = (dir: string, samples: readonly Sample[]) => samples.map((s) => s.path.slice(dir.length + 1));

async function refuses(files: Record<string, string> | string[], message: string, classes?: string[]) {
  await withFolder(files, async (dir) => {
    await assertRejects(() => openDataset(dir, { seed: 1, classes }), DataError, message);
  });
}

test("a folder per class is split about 80/10/10 within each class, the same wherever it lies", async () => {
  await withFolder([...photos("dog", 40), ...photos("cat", 20)], async (dir) => {
    const { classes, splits, origin, name } = await openDataset(dir, { seed: 1 });
    assertEquals(classes, ["cat", "dog"]);
    assert(dir.endsWith(name));
    assertEquals(origin, "split about 80/10/10 by class with seed 1");
    const count = (samples: readonly Sample[], label: number) =>
      samples.filter((s) => s.label === label).length;
    // A hash of each name decides, so these are the counts on every machine.
    assertEquals([count(splits.train, 0), count(splits.valid, 0), count(splits.test, 0)], [15, 1, 4]);
    assertEquals([count(splits.train, 1), count(splits.valid, 1), count(splits.test, 1)], [37, 1, 2]);
    const all = Object.values(splits).flat().map((s) => s.path);
    assertEquals(new Set(all).size, 60);
    for (const sample of splits.train) assertEquals(classes[sample.label], sample.class);
  });
});

test("the split depends on the seed and on nothing else, and a class keeps its own when others come", async () => {
  await withFolder([...photos("dog", 40), ...photos("cat", 20)], async (dir) => {
    const first = await openDataset(dir, { seed: 1 });
    assertEquals(await openDataset(dir, { seed: 1 }), first);
    assertNotEquals((await openDataset(dir, { seed: 2 })).splits.valid, first.splits.valid);
    const dogs = await openDataset(dir, { seed: 1, classes: ["dog"] });
    assertEquals(
      names(dir, dogs.splits.test),
      names(dir, first.splits.test.filter((s) => s.class === "dog")),
    );
  });
});

test("samples are listed by class and file name whatever order the files were made in", async () => {
  await withFolder(["b/2.png", "b/10.JPG", "a/z.Tiff", "b/1.GIF", "a/y.jpeg"], async (dir) => {
    const { splits } = await openDataset(dir, { seed: 3 });
    const all = names(dir, [...splits.train, ...splits.valid, ...splits.test]);
    assertEquals(all.toSorted(), ["a/y.jpeg", "a/z.Tiff", "b/1.GIF", "b/10.JPG", "b/2.png"]);
    assertEquals(names(dir, splits.train), names(dir, splits.train).toSorted());
  });
});

test("hidden files and files that are no photos are not listed", async () => {
  await withFolder(
    ["a/1.jpg", "a/._1.jpg", "a/notes.txt", "a/2.jpg.part", ".git/x.jpg", "README.md"],
    async (dir) => {
      const { classes, splits } = await openDataset(dir, { seed: 1 });
      assertEquals(classes, ["a"]);
      assertEquals(names(dir, splits.train), ["a/1.jpg"]);
    },
  );
});

test("links to photos and to class folders are followed", async () => {
  await withFolder(["elsewhere/a/1.jpg", "data/b/2.jpg"], async (dir) => {
    await Deno.symlink(join(dir, "elsewhere/a"), join(dir, "data/a"));
    await Deno.symlink(join(dir, "elsewhere/a/1.jpg"), join(dir, "data/b/3.jpg"));
    await Deno.symlink(join(dir, "nowhere"), join(dir, "data/b/4.jpg"));
    const { splits } = await openDataset(join(dir, "data"), { seed: 1 });
    assertEquals(splits.train.length + splits.valid.length, 3);
  });
});

test("folders named after splits are used as they are", async () => {
  const files = [
    ...photos("train/b", 3),
    ...photos("train/a", 2),
    ...photos("val/a", 1),
    ...photos("test/b", 2),
  ];
  await withFolder(files, async (dir) => {
    const { classes, splits, origin } = await openDataset(dir, { seed: 1 });
    assertEquals(classes, ["a", "b"]);
    assertEquals(splits.train.map((s) => s.label), [0, 0, 1, 1, 1]);
    assertEquals(names(dir, splits.valid), ["val/a/000.jpg"]);
    assertEquals(splits.test.length, 2);
    assertEquals(origin, "folders test, train, val");
  });
});

test("without a validation folder about a tenth of the training photos validates", async () => {
  await withFolder([...photos("train/a", 20), ...photos("test/a", 2)], async (dir) => {
    const { splits, origin } = await openDataset(dir, { seed: 1 });
    assertEquals([splits.train.length, splits.valid.length, splits.test.length], [19, 1, 2]);
    assertEquals(origin, "folders test, train; validation is about 10 % of train with seed 1");
  });
});

test("a class called train beside other classes is a class", async () => {
  await withFolder([...photos("train", 4), ...photos("plane", 4)], async (dir) => {
    assertEquals((await openDataset(dir, { seed: 1 })).classes, ["plane", "train"]);
  });
});

test("the classes option chooses classes and their order", async () => {
  await withFolder(["a/1.jpg", "b/1.jpg", "empty/", "c/1.jpg"], async (dir) => {
    const { classes, splits } = await openDataset(dir, { seed: 1, classes: ["c", "a"] });
    assertEquals(classes, ["c", "a"]);
    assertEquals(splits.train.map((s) => [s.class, s.label]), [["a", 1], ["c", 0]]);
  });
});

test("SPLIT.tsv decides the split", async () => {
  const table =
    "split\tclass\tfile\r\ntrain\tb\t1.jpg\r\ntest\tb\t2.jpg\r\nval\ta\t1.jpg\r\ntrain\ta\t2.jpg\r\n\r\n";
  await withFolder(
    { "SPLIT.tsv": table, "a/1.jpg": "", "a/2.jpg": "", "b/1.jpg": "", "b/2.jpg": "" },
    async (dir) => {
      const { classes, splits, origin } = await openDataset(dir, { seed: 1 });
      assertEquals(classes, ["a", "b"]);
      assertEquals(names(dir, splits.train), ["a/2.jpg", "b/1.jpg"]);
      assertEquals(names(dir, splits.valid), ["a/1.jpg"]);
      assertEquals(names(dir, splits.test), ["b/2.jpg"]);
      assertEquals(origin, "SPLIT.tsv");
    },
  );
});

test("a class's name may hold a comma, in folders, in the table and among chosen ones", async () => {
  const table = "split\tclass\tfile\ntrain\tb, c\t1.jpg\ntest\ta\t1.jpg\n";
  const files = { "a/1.jpg": "", "b, c/1.jpg": "" };
  await withFolder({ ...files, "SPLIT.tsv": table }, async (dir) => {
    const { classes, splits } = await openDataset(dir, { seed: 1 });
    assertEquals([classes, names(dir, splits.train)], [["a", "b, c"], ["b, c/1.jpg"]]);
  });
  await withFolder(files, async (dir) => {
    assertEquals((await openDataset(dir, { seed: 1, classes: ["b, c", "a"] })).classes, ["b, c", "a"]);
  });
  await refuses(Object.keys(files), 'it has no class "c", its classes are a, "b, c"', ["c"]);
});

test("a bad line of SPLIT.tsv is refused with its number", async () => {
  const table = (line: string) => ({
    "SPLIT.tsv": `split\tclass\tfile\ntrain\ta\t1.jpg\n${line}\n`,
    "a/1.jpg": "",
    "secret.jpg": "",
  });
  await refuses(table("train\ta"), "line 3: got 2 fields, expected 3");
  await refuses(table("dev\ta\t1.jpg"), 'line 3: split "dev", expected train, valid or test');
  await refuses(table("test\ta\t9.jpg"), "line 3: there is no file");
  await refuses(table("test\tz\t1.jpg"), "line 3: there is no file");
  await refuses(table("test\ta\t1.jpg"), "line 3:");
  await refuses(table("test\t..\tsecret.jpg"), 'line 3: class ".."');
  await refuses(table("test\ta\t../secret.jpg"), 'line 3: file "../secret.jpg"');
  await refuses(table("\ntrain\ta\t1.jpg"), "line 3: got 1 fields");
  await refuses({ "SPLIT.tsv": "file,split\n" }, 'line 1: the header is "file,split"');
  await refuses({ "SPLIT.tsv": "" }, "line 1: the header is");
  await refuses({ "SPLIT.tsv": "split\tclass\tfile\n" }, "line 1: no line follows the header");
});

test("a folder that holds no data set is refused with the reason", async () => {
  await refuses([], "it is empty, expected photos in");
  await refuses(["1.jpg", "2.jpg"], "its photos are in no class folder");
  await refuses(["a/1.jpg", "b/notes.txt"], 'Cannot use class "b"');
  await refuses(["train/1.jpg", "test/1.jpg"], "its train folder has no class folder");
  await refuses(
    ["train/a/1.jpg", "val/a/1.jpg", "valid/a/2.jpg"],
    "more than one of its folders is the valid split",
  );
  await refuses(["a/1.jpg", "b/"], "its folder holds no photo, and without it there is one class only, a");
  await refuses(["a/1.jpg", "b/.DS_Store", "c/notes.txt"], 'Cannot use class "c"');
  await assertRejects(
    () => openDataset("/no/such/folder", { seed: 1 }),
    DataError,
    "there is no folder /no/such/folder",
  );
  const file = await Deno.makeTempFile();
  await assertRejects(() => openDataset(file, { seed: 1 }), DataError, "is a file, expected a folder");
  await Deno.remove(file);
});

test("a class folder without a file is left out where two classes remain, and one of other files is refused with the way out", async () => {
  await withFolder([...photos("a", 3), ...photos("b", 3), "c/", "d/.DS_Store"], async (dir) => {
    const { classes, empty } = await openDataset(dir, { seed: 1 });
    assertEquals([classes, empty], [["a", "b"], ["c", "d"]]);
  });
  await refuses(
    [...photos("a", 3), ...photos("b's", 3), "c/notes.txt"],
    "file (but files that are no photo); convert its files, move it away, or leave it out with " +
      `--classes 'a,b'\\''s'`,
  );
  await refuses([...photos("a", 3), ...photos("b", 3), "c/"], 'Cannot use class "c"', ["a", "c"]);
});

test("a class that is empty in a held-out split alone is trained on", async () => {
  await withFolder(
    [...photos("train/a", 3), ...photos("train/b", 3), "val/a/1.jpg", "val/b/"],
    async (dir) => {
      const { classes, empty, splits } = await openDataset(dir, { seed: 1 });
      assertEquals([classes, empty, splits.valid.length], [["a", "b"], [], 1]);
    },
  );
  await withFolder(
    [...photos("train/a", 3), ...photos("train/b", 3), "train/c/", "val/a/1.jpg", "val/c/"],
    async (dir) => {
      const { classes, empty } = await openDataset(dir, { seed: 1 });
      assertEquals([classes, empty], [["a", "b"], ["c"]]);
    },
  );
});

test("a class that differs from another in case only is said where one of them is refused", async () => {
  await refuses(["dog/1.jpg", "cat/1.jpg"], '; "Dog" and "dog" differ in case only', ["cat", "Dog"]);
  await withFolder(["Train/cat/1.jpg", "Train/b/1.jpg", "Val/Cat/1.jpg", "Val/b/1.jpg"], async (dir) => {
    const dataset = await openDataset(dir, { seed: 1 });
    assertThrows(
      () => requireBatch(dataset, 1),
      DataError,
      `class "Cat" has no training image; "Cat" and "cat" differ in case only`,
    );
  });
});

test("folders that are none of the chosen classes are named with their files, and lookalikes are pointed out", async () => {
  const files = [...photos("dog", 3), ...photos("Dog", 2), "cow/1.jpg", "cow/notes.txt", "empty/"];
  for (const parent of ["", "train/"]) {
    await withFolder(files.map((file) => parent + file), async (dir) => {
      const dataset = await openDataset(dir, { seed: 1, classes: ["dog", "ant"], allowMissing: true });
      assertEquals(
        await otherClassesText(dataset, "the model"),
        "Left out 2 folders that are no classes of the model: Dog, cow (4 files); Dog and dog differ in case only",
      );
      assertEquals(await otherClassesText(await openDataset(dir, { seed: 1 }), "the model"), undefined);
    });
  }
});

test("unknown and repeated classes are refused by name", async () => {
  await refuses(["a/1.jpg", "b/1.jpg"], 'it has no class "c", its classes are a, b', ["a", "c"]);
  await refuses(["train/a/1.jpg", "val/b/1.jpg"], 'it has no class "c", its classes are a, b', ["a", "c"]);
  await refuses(["a/1.jpg", "b/1.jpg"], 'class "a" was asked for twice', ["a", "a"]);
  await refuses(["a/1.jpg"], "no class was asked for", []);
});

test("fewer training images than a batch are refused with both numbers", async () => {
  await withFolder(photos("a", 10), async (dir) => {
    const dataset = await openDataset(dir, { seed: 1, rule: 1 });
    requireBatch(dataset, 8);
    assertThrows(
      () => requireBatch(dataset, 9),
      DataError,
      "8 training images, expected at least one batch of 9",
    );
  });
});

test("a class without a training image cannot be trained on, though the folder is a data set", async () => {
  await withFolder(["train/a/1.jpg", "test/b/1.jpg", "val/a/1.jpg"], async (dir) => {
    const dataset = await openDataset(dir, { seed: 1 });
    assertEquals(dataset.splits.test.map((s) => s.class), ["b"]);
    assertThrows(
      () => requireBatch(dataset, 1),
      DataError,
      `Cannot train on ${dir}: class "b" has no training image; give it some`,
    );
  });
});

test("a folder with a test split alone is a data set whose split is its own", async () => {
  await withFolder([...photos("test/a", 2), ...photos("test/b", 1)], async (dir) => {
    const { classes, splits, origin, seeded } = await openDataset(dir, { seed: 1 });
    assertEquals([classes, origin, seeded], [["a", "b"], "folders test", false]);
    assertEquals([splits.train.length, splits.valid.length, splits.test.length], [0, 0, 3]);
  });
  const table = "split\tclass\tfile\ntest\ta\t1.jpg\n";
  await withFolder({ "SPLIT.tsv": table, "a/1.jpg": "", "a/2.jpg": "" }, async (dir) => {
    const { splits, seeded } = await openDataset(dir, { seed: 1 });
    assertEquals([splits.train.length, names(dir, splits.test), seeded], [0, ["a/1.jpg"], false]);
  });
});

test("folders called test and val that hold photos and no folders are classes", async () => {
  await withFolder([...photos("test", 3), ...photos("val", 3)], async (dir) => {
    const { classes, seeded } = await openDataset(dir, { seed: 1 });
    assertEquals([classes, seeded], [["test", "val"], true]);
  });
});

test("chosen classes that may be missing keep their labels and are named", async () => {
  const options = { seed: 1, classes: ["dog", "cat", "bird"], allowMissing: true };
  for (const files of [["cat/1.jpg", "fish/1.jpg", "dog/"], ["test/cat/1.jpg", "test/dog/"]]) {
    await withFolder(files, async (dir) => {
      const { classes, missing, splits } = await openDataset(dir, options);
      assertEquals([classes, missing], [options.classes, ["dog", "bird"]]);
      assertEquals(Object.values(splits).flat().map((s) => [s.class, s.label]), [["cat", 1]]);
      await assertRejects(() => openDataset(dir, { ...options, allowMissing: false }), DataError);
    });
  }
  await withFolder(["fish/1.jpg"], async (dir) => {
    await assertRejects(
      () => openDataset(dir, options),
      DataError,
      "it has none of the classes dog, cat, bird, its classes are fish",
    );
  });
});

const animals = new URL("../../../../shared/animals", import.meta.url).pathname;
test({
  name: "the shared animal photos keep their published split",
  ignore: !present(animals),
  async fn() {
    const { classes, splits, name } = await openDataset(animals, {
      seed: 1,
      classes: ["dog", "panda", "bird"],
    });
    assertEquals([name, ...classes], ["animals", "dog", "panda", "bird"]);
    assertEquals([splits.train.length, splits.valid.length, splits.test.length], [2400, 300, 0]);
  },
});
