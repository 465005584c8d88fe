import { assertEquals } from "@std/assert";
import { dirname, join } from "@std/path";
import type { ListedPhoto } from "../../../data/dataset/folder.ts";
import { RecordedSplit, recordSplit, type SeenPhotos } from "../../../data/dataset/split_record.ts";
import { testNeeding } from "../../permissions.ts";

const test = testNeeding("all");

/** A folder, and what writes a photo of class `a` with these bytes there. */
async function withWriter(work: (write: (file: string, bytes: string | Uint8Array) => ListedPhoto) => void) {
  const dir = await Deno.makeTempDir();
  try {
    work((file, bytes) => {
      const path = join(dir, file);
      Deno.mkdirSync(dirname(path), { recursive: true });
      Deno.writeFileSync(path, typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes);
      return { path, label: 0, class: "a", file };
    });
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

const DRAWN = { rule: 2, seed: 1, origin: "here" };

/** The names of the files in each group. */
function named(seen: SeenPhotos): Record<string, string[]> {
  const { trained, ...groups } = seen;
  const files = (photos: Iterable<ListedPhoto>) => Array.from(photos, ({ file }) => file).sort();
  return {
    ...Object.fromEntries(
      Object.entries(groups).filter(([, list]) => list.length > 0).map((
        [name, list],
      ) => [name, files(list)]),
    ),
    trained: files(trained),
  };
}

test("a photo under another name is the run's own, and a further copy is neither its own nor new", () =>
  withWriter((write) => {
    const train = [write("1.jpg", "one"), write("2.jpg", "two")], held = [write("3.jpg", "six")];
    const recorded = new RecordedSplit(recordSplit({ train, valid: [], test: held }, DRAWN));
    const renamed = [write("x.jpg", "one"), write("y.jpg", "six")], fresh = write("z.jpg", "ten");
    assertEquals(named(recorded.sort([...renamed, fresh])), {
      ...{ train: ["x.jpg"], test: ["y.jpg"], unseen: ["z.jpg"], trained: ["x.jpg"] },
    });
    assertEquals(named(recorded.sort([...train, ...held, ...renamed, fresh])), {
      train: ["1.jpg", "2.jpg"],
      test: ["3.jpg"],
      copies: ["x.jpg", "y.jpg"],
      unseen: ["z.jpg"],
      trained: ["1.jpg", "2.jpg", "x.jpg"],
    });
    // The same content on both sides of a split stays on both sides under other names.
    const twice = new RecordedSplit(
      recordSplit({ train: [write("4.jpg", "dup")], valid: [], test: [write("5.jpg", "dup")] }, DRAWN),
    );
    const both = [write("6.jpg", "dup"), write("7.jpg", "dup")];
    assertEquals(named(twice.sort(both)), { train: ["6.jpg"], test: ["7.jpg"], trained: ["6.jpg"] });
    assertEquals(named(twice.sort([write("4.jpg", "dup"), ...both])), {
      ...{ train: ["4.jpg"], test: ["6.jpg"], copies: ["7.jpg"], trained: ["4.jpg", "7.jpg"] },
    });
  }));

test("long files are told apart by their beginning, middle, end and size", () =>
  withWriter((write) => {
    const bytes = new Uint8Array(100_000);
    const run = recordSplit({ train: [write("1.jpg", bytes)], valid: [], test: [] }, DRAWN);
    const recorded = new RecordedSplit(run);
    assertEquals(recorded.sort([write("2.jpg", bytes)]).train.length, 1);
    for (const at of [0, 50_000, 99_999]) {
      const other = bytes.slice();
      other[at] = 1;
      assertEquals(recorded.sort([write("2.jpg", other)]).unseen.length, 1, `byte ${at}`);
    }
    assertEquals(recorded.sort([write("2.jpg", bytes.subarray(1))]).unseen.length, 1);
  }));

test("photos that the run could not decode are not new, until they are mended", () =>
  withWriter((write) => {
    const train = [write("1.jpg", "one")], out = [write("bad.jpg", "broken")];
    const recorded = new RecordedSplit(recordSplit({ train, valid: [], test: [] }, DRAWN, out));
    assertEquals(recorded.size, 1);
    assertEquals(named(recorded.sort([...train, ...out])), {
      ...{ train: ["1.jpg"], out: ["bad.jpg"], trained: ["1.jpg"] },
    });
    assertEquals(recorded.sort([write("bad.jpg", "mended now")]).unseen.length, 1);
  }));

test("photos of two splits with one name and size are told apart by their content", () =>
  withWriter((write) => {
    const train = { ...write("train/1.jpg", "one"), file: "1.jpg" };
    const valid = { ...write("valid/1.jpg", "two"), file: "1.jpg" };
    const recorded = new RecordedSplit(recordSplit({ train: [train], valid: [valid], test: [] }, DRAWN));
    const seen = recorded.sort([train, valid]);
    assertEquals([seen.train, seen.valid, recorded.size], [[train], [valid], 2]);
  }));

test("a record of a version without contents is read as before", () =>
  withWriter((write) => {
    const photo = write("1.jpg", "one");
    const { contents: _, out: __, ...old } = recordSplit({ train: [photo], valid: [], test: [] }, DRAWN);
    const recorded = new RecordedSplit(old);
    assertEquals(recorded.sort([photo]).train.length, 1);
    assertEquals(recorded.sort([write("2.jpg", "one")]).unseen.length, 1);
  }));

testNeeding("all")(
  "photos that only the starting weights had are neither the run's own nor unseen",
  async () => {
    const dir = await Deno.makeTempDir();
    try {
      const [a, b, c, d] = await Promise.all(["a", "b", "c", "d"].map(async (file): Promise<ListedPhoto> => {
        await Deno.writeTextFile(join(dir, file), file);
        return { class: "cat", label: 0, file, path: join(dir, file) };
      })) as [ListedPhoto, ListedPhoto, ListedPhoto, ListedPhoto];
      const drawn = { rule: 2, seed: 1, origin: "folders" };
      const first = recordSplit({ train: [a, b], valid: [], test: [c] }, drawn);
      assertEquals(first.before, undefined);
      const second = recordSplit({ train: [b], valid: [], test: [c] }, drawn, [], first);
      const third = recordSplit({ train: [c], valid: [], test: [b] }, drawn, [], second);
      const recorded = new RecordedSplit(third);
      const { train, test, before, unseen, trained } = recorded.sort([a, b, c, d]);
      assertEquals([train, test, before, unseen], [[c], [b], [a], [d]]);
      assertEquals([a, b, c, d].filter((photo) => trained.has(photo)), [a, b, c]);
      assertEquals(recorded.size, 2);
    } finally {
      await Deno.remove(dir, { recursive: true });
    }
  },
);
