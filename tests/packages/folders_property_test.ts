import { assert, assertEquals, assertMatch } from "@std/assert";
import { dirname, join } from "@std/path";
import fc from "fast-check";
import { drawShape, encodeJpeg } from "../../data/shapes/shape_drawing.ts";
import { UserError } from "../../engine/errors.ts";
import { runOptions } from "../../training/options/options.ts";
import type { RunEvent } from "../../training/run/events.ts";
import { train } from "../../training/train.ts";

/** What a class folder may hold, and a name for the file of a number. */
const KINDS: Readonly<Record<string, (i: number) => string>> = {
  good: (i) => `${i}.jpg`,
  twin: (i) => `twin${i}.JPG`,
  bare: (i) => `no ending ${i}`,
  odd: (i) => `é,\t"${i}' &;$(x).jpeg`,
  nested: (i) => `deep/er ${i % 3}/${i}.jpg`,
  broken: (i) => `broken${i}.png`,
  cut: (i) => `cut${i}.jpg`,
  empty: (i) => `empty${i}.gif`,
  raw: (i) => `${i}.dng`,
  text: (i) => `notes${i}.txt`,
  hidden: (i) => `.${i}.jpg`,
};

const pictures = await Promise.all(
  Array.from({ length: 40 }, (_, i) => encodeJpeg(drawShape(i % 2 ? "star" : "circle", i, 1))),
);

function contentOf(kind: string, i: number): Uint8Array {
  const picture = pictures[i % pictures.length]!;
  switch (kind) {
    case "twin":
      return pictures[0]!;
    case "broken":
      return Uint8Array.of(0x89, 0x50, i);
    case "cut":
      return picture.subarray(0, picture.length / 3);
    case "empty":
      return new Uint8Array();
    case "raw":
      return new TextEncoder().encode("II*\0");
    case "text":
      return new TextEncoder().encode("no photo");
    default:
      return picture;
  }
}

const count = fc.oneof(
  { weight: 1, arbitrary: fc.constant(0) },
  { weight: 4, arbitrary: fc.integer({ min: 1, max: 6 }) },
  { weight: 4, arbitrary: fc.integer({ min: 0, max: 60 }) },
);
const folder = fc.record(
  Object.fromEntries(
    Object.keys(KINDS).map((kind) => [
      kind,
      kind === "good" ? count : fc.oneof(
        { weight: 3, arbitrary: fc.constant(0) },
        { weight: 1, arbitrary: fc.integer({ min: 0, max: 8 }) },
      ),
    ]),
  ),
);
const trial = fc.record({
  layout: fc.constantFrom("plain", "plain", "split", "train", "table"),
  folders: fc.array(folder, { minLength: 1, maxLength: 4 }),
  names: fc.shuffledSubarray(["1", "10", "naïve, cat", "dog & co", "train me", "-x", "クラス"], {
    minLength: 4,
  }),
  batch: fc.constantFrom(1, 8, 32),
  seed: fc.nat({ max: 2 ** 32 - 1 }),
});

/** Writes a trial's folder; returns how many files lie in the folders of its classes. */
async function write(
  dir: string,
  { layout, folders, names }: typeof trial extends fc.Arbitrary<infer T> ? T : never,
) {
  const rows: string[] = [];
  let files = 0;
  for (const [k, kinds] of folders.entries()) {
    for (const [kind, number] of Object.entries(kinds)) {
      for (let i = 0; i < number; i++) {
        const part = i % 5 === 4 ? "valid" : "train", file = KINDS[kind]!(i);
        const parents = layout === "split" ? [part] : layout === "train" ? ["train"] : [];
        const path = join(dir, ...parents, names[k]!, file);
        await Deno.mkdir(dirname(path), { recursive: true });
        await Deno.writeFile(path, contentOf(kind, i));
        if (["good", "broken", "twin"].includes(kind)) rows.push(`${part}\t${names[k]}\t${file}`);
        files++;
      }
    }
  }
  await Deno.mkdir(dir, { recursive: true });
  if (layout === "table") {
    await Deno.writeTextFile(join(dir, "SPLIT.tsv"), ["split\tclass\tfile", ...rows].join("\n"));
  }
  return files;
}

/** FOLDERS=200 tries as many. */
const RUNS = Number(Deno.env.get("FOLDERS") ?? 12);

Deno.test("training on any folder ends with a model and counts that add up, or with one sentence", async () => {
  const ends = { trained: 0, refused: 0 };
  await fc.assert(
    fc.asyncProperty(trial, async (set) => {
      const dir = await Deno.makeTempDir(), events: RunEvent[] = [];
      try {
        const data = join(dir, "photos"), files = await write(data, set);
        const options = runOptions({
          data,
          model: "compact",
          size: 64,
          epochs: 1,
          batchSize: set.batch,
          seed: set.seed,
        });
        const places = { out: join(dir, "run"), cache: join(dir, "cache"), workers: 2 };
        try {
          await train(options, places, (event) => events.push(event));
        } catch (error) {
          assert(error instanceof UserError, String(error instanceof Error ? error.stack : error));
          assertMatch(error.message, /^Cannot [^\n]+$/);
          ends.refused++;
          return;
        }
        ends.trained++;
        const start = events.find((e) => e.event === "start")!, end = events.at(-1)!;
        assert(end.event === "end");
        const { images: { train: trained, valid, test }, leftOut } = start;
        // A table's classes are those that it names.
        if (set.layout !== "table") assertEquals(trained + valid + test + leftOut, files);
        for (const event of events) {
          if (event.event === "epoch") assert(Number.isFinite(event.trainLoss + event.trainAccuracy));
        }
        if (end.result) {
          const { n, accuracy, balancedAccuracy, loss } = end.result;
          assertEquals(n, end.split === "test" ? test : valid);
          assert(Number.isFinite(accuracy + balancedAccuracy + loss));
        }
        for (const path of [end.last, end.best!]) assert((await Deno.stat(path)).size > 0);
      } finally {
        await Deno.remove(dir, { recursive: true });
      }
    }),
    { numRuns: RUNS },
  );
  assert(ends.trained > 0, JSON.stringify(ends));
  console.log(JSON.stringify(ends));
});
