import { assert, assertEquals } from "@std/assert";
import { foldOf } from "../../../data/dataset/folds.ts";
import type { Dataset, ListedPhoto } from "../../../data/dataset/folder.ts";

const photos = (name: string, label: number, n: number): ListedPhoto[] =>
  Array.from({ length: n }, (_, i) => {
    const file = `${String(i).padStart(3, "0")}.jpg`;
    return { path: `data/${name}/${file}`, label, class: name, file };
  });

const dataset = {
  splits: {
    train: [...photos("bird", 0, 40), ...photos("dog", 1, 11)],
    valid: photos("bird", 0, 50).slice(40),
    test: photos("dog", 1, 15).slice(11),
  },
  origin: "as the folders say",
} as unknown as Dataset;

const paths = (photos: readonly ListedPhoto[]) => photos.map(({ path }) => path);

Deno.test("folds share out training and validation photos class by class, each photo to one", () => {
  const folds = [1, 2, 3, 4].map((fold) => foldOf(dataset, { fold, folds: 4, seed: 1 }));
  const all = paths([...dataset.splits.train, ...dataset.splits.valid]).sort();
  assertEquals(folds.flatMap(({ splits }) => paths(splits.valid)).sort(), all);
  for (const { splits } of folds) {
    assertEquals([...paths(splits.train), ...paths(splits.valid)].sort(), all);
    assertEquals(splits.test, []);
    for (const [name, least] of [["bird", 12], ["dog", 2]] as const) {
      const n = splits.valid.filter((photo) => photo.class === name).length;
      assert(n === least || n === least + 1, `${n} photos of ${name}`);
    }
    // As every split is sorted.
    assertEquals(paths(splits.valid), paths(splits.valid).toSorted());
  }
  assertEquals(folds.map(({ origin }) => origin)[1], "fold 2 of 4");
});

Deno.test("the seed decides which photo is in which fold", () => {
  const valid = (seed: number, set = dataset) => paths(foldOf(set, { fold: 1, folds: 2, seed }).splits.valid);
  assertEquals(valid(1), valid(1));
  assert(valid(1).join() !== valid(2).join());
});
