import { assertEquals, assertRejects } from "@std/assert";
import { dirname, join } from "@std/path";
import { DataError, openDataset } from "../../../data/dataset/folder.ts";
import { leftOutText, walkPhotos } from "../../../data/dataset/walk.ts";
import { datasetWarnings } from "../../../data/dataset/warnings.ts";
import { testNeeding } from "../../permissions.ts";

const test = testNeeding("all");

const JPEG = "\xff\xd8\xff\xe0", PNG = "\x89PNG\r\n\x1a\n", WEBP = "RIFF\0\0\0\0WEBPVP8 ", JXL = "\xff\x0a";

/** A temporary folder with these files, their texts as Latin-1. */
async function withFiles(files: Record<string, string>, run: (dir: string) => Promise<void>) {
  const dir = await Deno.makeTempDir();
  try {
    for (const [name, text] of Object.entries(files)) {
      await Deno.mkdir(dirname(join(dir, name)), { recursive: true });
      await Deno.writeFile(join(dir, name), Uint8Array.from(text, (c) => c.charCodeAt(0)));
    }
    await run(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

test("a class's folders are walked, and a file is a photo by its name or by its first bytes", () =>
  withFiles({
    ...{ "1.JPG": "", "2.jfif": JPEG, "3": PNG, "deep/er/4.png": PNG, "a.b/5.TIFF": "II*\0" },
    ...{
      "6": WEBP,
      "7": "BM1234\0\0\0\0\x36\0\0\0\x28\0\0\0",
      "BMI.txt": "BM is short for body mass",
      "8": "\0\0\0\x18ftypheic",
      "9.jp2": "\0\0\0\fjP  \r\n",
    },
    ...{
      "10": "\0\0\0\x18ftypavif",
      "13.heic": "",
      "notes.txt": "hello",
      "11.dng": "II*\0",
      ".DS_Store": "x",
      "empty": "",
    },
    "deep/.hidden/12.jpg": JPEG,
    "deep/9.gradcam.jpg": JPEG,
  }, async (dir) => {
    const { photos, leftOut } = await walkPhotos(dir);
    assertEquals(photos, [
      "1.JPG",
      "10",
      "13.heic",
      "2.jfif",
      "3",
      "6",
      "7",
      "8",
      "a.b/5.TIFF",
      "deep/er/4.png",
    ]);
    assertEquals(
      Object.fromEntries(leftOut.map(({ path, reason }) => [path.slice(dir.length + 1), reason])),
      {
        ...{ "9.jp2": "JPEG 2000", "BMI.txt": "no photo" },
        ...{ "notes.txt": "no photo", "11.dng": "camera raw", ".DS_Store": "hidden", "empty": "no photo" },
        "deep/.hidden/12.jpg": "hidden",
        "deep/9.gradcam.jpg": "Grad-CAM",
      },
    );
  }));

test("links are followed, but no file is met twice, and a circle of them ends", () =>
  withFiles({ "in/1.jpg": "", "in/deep/2.jpg": "", "out/3.jpg": "" }, async (dir) => {
    const at = (...parts: string[]) => join(dir, ...parts);
    await Deno.symlink(at("in"), at("in/deep/circle"));
    await Deno.symlink(at("in/1.jpg"), at("in/again.jpg"));
    await Deno.symlink(at("out"), at("in/other"));
    await Deno.symlink(at("out"), at("in/other2"));
    await Deno.symlink(at("nowhere"), at("in/broken.jpg"));
    const { photos, leftOut } = await walkPhotos(at("in"));
    assertEquals(photos, ["1.jpg", "deep/2.jpg", "other/3.jpg"]);
    assertEquals(leftOut.map(({ path, reason }) => `${path.slice(at("in").length + 1)} ${reason}`), [
      ...[
        "again.jpg linked twice",
        "broken.jpg unreadable",
        "deep/circle linked twice",
        "other2 linked twice",
      ],
    ]);
  }));

test("used and left out are together all files, and the line says why by reason, with the first names", () =>
  withFiles({
    ...{ "cat/1.jpg": "", "cat/2.jxl": JXL, "cat/3.jxl": JXL, "dog/deep/4.jpg": "", "dog/.x": "" },
    ...{ "5.jpg": "", "cat/b.jxl": JXL, "cat/c.jxl": JXL },
  }, async (dir) => {
    const { splits, leftOut } = await openDataset(dir, { seed: 1 });
    assertEquals([Object.values(splits).flat().length, leftOut.length], [2, 6]);
    assertEquals(
      leftOutText(dir, leftOut, 8),
      "Left out 6 of 8 files: 4 JPEG XL (cat/2.jxl, cat/3.jxl, cat/b.jxl, …); 1 hidden (dog/.x); " +
        "1 in no class folder (5.jpg)",
    );
    assertEquals(leftOutText(dir, [], 8), undefined);
  }));

test("files that SPLIT.tsv does not name are left out, and a class of other formats is refused by their names", async () => {
  const table = "split\tclass\tfile\ntrain\tcat\t1.jpg\n";
  await withFiles({ "SPLIT.tsv": table, "cat/1.jpg": "", "cat/2.jpg": "" }, async (dir) => {
    const { leftOut } = await openDataset(dir, { seed: 1 });
    assertEquals(leftOut.map(({ reason }) => reason), ["not in SPLIT.tsv"]);
  });
  await withFiles({ "cat/1.jxl": JXL }, async (dir) => {
    await assertRejects(() => openDataset(dir, { seed: 1 }), DataError, "(but files that are JPEG XL)");
  });
});

const many = (folder: string, count: number, text = folder) =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`${folder}/${i}.jpg`, `${text}${i}`]));

test("what may mislead is said before training: one class, one photo, unequal classes, the same photo twice", async () => {
  const warnings = async (files: Record<string, string>) => {
    let found: string[] = [];
    await withFiles(files, async (dir) => {
      found = datasetWarnings(await openDataset(dir, { seed: 1 }));
    });
    return found.join("\n");
  };
  const cats = many("train/cat", 12),
    dogs = many("train/dog", 12),
    held = { ...many("valid/dog", 2, "held"), ...many("valid/cat", 2, "kept") };
  assertEquals(await warnings({ ...cats, ...dogs, ...held }), "");
  assertEquals(
    await warnings({ ...many("pets", 1), ...many("pets/cat", 3), ...many("pets/dog", 3) }),
    "there is one class only, pets: every answer is right, and nothing is learnt; the folders in it (cat, dog) are no classes",
  );
  assertEquals(
    await warnings({ ...cats, "train/dog/1.jpg": "", ...many("valid/cat", 2, "held") }),
    "dog has one photo only, which nothing can test\n" +
      "classes are unequal: cat has 12 training photos, dog 1 (12.0 to 1); look at the balanced accuracy, " +
      "and --class-weights balanced gives them equal shares",
  );
  assertEquals(
    await warnings({
      ...cats,
      ...dogs,
      ...held,
      ...many("test/cat", 2),
      "test/dog/x.jpg": "train/dog3",
      "test/dog/y.jpg": "train/dogX",
    }),
    "1 of 8 held-out photos is a training photo too (test/dog/x.jpg is train/dog/3.jpg)",
  );
});
