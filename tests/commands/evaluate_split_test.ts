import { assertEquals } from "@std/assert";
import { dirname, join } from "@std/path";
import { chooseSplit, type Evaluated, splitAsked } from "../../commands/evaluate_split.ts";
import { DataError, openDataset } from "../../data/dataset/folder.ts";
import { recordSplit, type SplitRecord } from "../../data/dataset/split_record.ts";
import { testNeeding } from "../permissions.ts";

const test = testNeeding("all");

const CLASSES = ["cat", "dog"];

/** A folder of photos that can be written, and read as a run or an evaluation does. */
async function withFolder(
  work: (trial: {
    dir: string;
    write(folder: string, from: number, to: number): Promise<void>;
    recorded(bad?: string, below?: string): Promise<SplitRecord>;
    choose(record: SplitRecord | undefined, split?: Evaluated, below?: string): Promise<Told>;
  }) => Promise<void>,
) {
  const dir = await Deno.makeTempDir();
  const open = (below: string) =>
    openDataset(join(dir, below), { seed: 1, classes: CLASSES, allowMissing: true });
  try {
    await work({
      dir,
      async write(folder, from, to) {
        for (let i = from; i < to; i++) {
          const path = join(dir, folder, `${i}.jpg`);
          await Deno.mkdir(dirname(path), { recursive: true });
          await Deno.writeTextFile(path, `${folder} ${i} ${"x".repeat(i)}`);
        }
      },
      async recorded(bad, below = "data") {
        const { splits, origin } = await open(below);
        const isBad = ({ path }: { path: string }) => bad !== undefined && path.endsWith(bad);
        const kept = (split: keyof typeof splits) => splits[split].filter((photo) => !isBad(photo));
        return recordSplit(
          { train: kept("train"), valid: kept("valid"), test: kept("test") },
          { rule: 2, seed: 1, origin },
          Object.values(splits).flat().filter(isBad),
        );
      },
      async choose(record, split, below = "data") {
        const { samples, how, trainedOn, ...rest } = chooseSplit(await open(below), record, { split });
        return { split: rest.split, n: samples.length, how, trainedOn };
      },
    });
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

/** What was chosen. */
interface Told {
  split: string;
  n: number;
  how: string;
  trainedOn: number | undefined;
}

test("photos of the run stay its own under other names, and none of them is called unseen", () =>
  withFolder(async ({ dir, write, recorded, choose }) => {
    for (const name of CLASSES) await write(`data/${name}`, 0, 20);
    const record = await recorded(), own = await choose(record), all = await choose(record, "all");
    for (const name of CLASSES) {
      for (let i = 0; i < 20; i++) {
        await Deno.rename(join(dir, "data", name, `${i}.jpg`), join(dir, "data", name, `copy${i}.jpg`));
      }
    }
    assertEquals(await choose(record), own);
    assertEquals(await choose(record, "all"), all);
    const error = await choose(record, "unseen").catch((error) => error);
    assertEquals(
      error instanceof DataError && error.message.split(" (")[0],
      "Cannot evaluate: data has no unseen images of the model's classes",
    );
  }));

test("new photos are counted beside a split, and among all of them", () =>
  withFolder(async ({ write, recorded, choose }) => {
    for (const name of CLASSES) await write(`data/${name}`, 0, 20);
    const record = await recorded(), { n, how } = await choose(record);
    await write("data/cat", 100, 103);
    assertEquals(await choose(record), {
      ...{ split: "test", n, trainedOn: 0 },
      how: `${how}; 3 more are new: --split unseen`,
    });
    const all = await choose(record, "all");
    assertEquals([all.n, all.how], [43, `${how}; 3 of them are new: --split unseen`]);
    assertEquals((await choose(record, "unseen")).n, 3);
  }));

test("photos that the run could not decode are not new", () =>
  withFolder(async ({ write, recorded, choose }) => {
    for (const name of CLASSES) await write(`data/${name}`, 0, 20);
    const record = await recorded("/7.jpg"), { how } = await choose(record);
    assertEquals(how, "the run's own: split about 80/10/10 by class with seed 1");
    assertEquals((await choose(record, "all")).n, 38);
  }));

test("the run's training folder alone is evaluated whole, and said to be without a test split", () =>
  withFolder(async ({ write, recorded, choose }) => {
    for (const name of CLASSES) {
      await write(`data/train/${name}`, 0, 20);
      await write(`data/valid/${name}`, 0, 5);
    }
    const record = await recorded();
    assertEquals(await choose(record, undefined, "data/train"), {
      ...{ split: "all", n: 40, trainedOn: 40 },
      how: "no photo of the run's test or validation split is there",
    });
  }));

test("a part without a photo is refused with those that have some", () =>
  withFolder(async ({ write, choose }) => {
    for (const name of CLASSES) {
      await write(`data/train/${name}`, 0, 4);
      await write(`data/valid/${name}`, 0, 2);
    }
    const error = await choose(undefined, "test").catch((error) => error);
    assertEquals(
      error.message,
      "Cannot evaluate: data has no test images of the model's classes (folders train, valid); " +
        "there is --split train (8), --split valid (4), --split all (12)",
    );
    assertEquals((await choose(undefined)).split, "valid");
  }));

test("other programs' words for the validation split are taken", () => {
  assertEquals([splitAsked("val"), splitAsked("validation"), splitAsked("test")], ["valid", "valid", "test"]);
});
