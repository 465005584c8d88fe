import { assert, assertEquals, assertNotEquals, assertRejects, assertThrows } from "@std/assert";
import { dirname, join } from "@std/path";
import { CacheError, openPhotoStore } from "../../../data/dataset/cache.ts";
import { decodeImage } from "../../../data/image/decode.ts";
import { DataError, type Sample } from "../../../data/dataset/folder.ts";
import type { PhotoStore } from "../../../data/dataset/photo_store.ts";
import { encodeJpeg } from "../encoders.ts";
import { testNeeding } from "../../permissions.ts";

const test = testNeeding("all");

const side = 24;

/** A folder with photos `a/0.jpg` to `a/n.jpg` of differing sizes, and a place for caches. */
async function withPhotos(
  count: number,
  run: (samples: Sample[], cacheDir: string, dir: string) => Promise<void>,
) {
  const dir = await Deno.makeTempDir();
  try {
    const samples: Sample[] = [];
    await Deno.mkdir(join(dir, "photos", "a"), { recursive: true });
    for (let i = 0; i < count; i++) {
      const path = join(dir, "photos", "a", `${i}.jpg`);
      await Deno.writeFile(path, await photo(30 + i, 40, i));
      samples.push({ path, label: i % 3, class: "a" });
    }
    await run(samples, join(dir, "cache"), dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

function photo(width: number, height: number, seed: number): Promise<Uint8Array> {
  const data = Uint8Array.from({ length: width * height * 4 }, (_, i) => (i * (seed + 3)) >> 2 & 255);
  return encodeJpeg({ width, height, data });
}

/** A photo's pixels in an array of their own. */
function read(store: PhotoStore, index: number) {
  const { width, height } = store.entries[index]!;
  const data = new Uint8Array(width * height * 4);
  store.pixels(index)(data);
  return { width, height, data };
}

async function assertHolds(store: PhotoStore, samples: readonly Sample[]) {
  assertEquals(
    store.entries.map(({ path, label }) => [path, label]),
    samples.map(({ path, label }) => [path, label]),
  );
  for (const [i, { path }] of samples.entries()) {
    assertEquals(read(store, i), await decodeImage(await Deno.readFile(path), { shorterSide: side }));
  }
}

const names = (dir: string) => [...Deno.readDirSync(dir)].map((entry) => entry.name);

/** The only cache in the folder. */
function cacheIn(cacheDir: string): string {
  const [name, ...more] = names(cacheDir);
  assertEquals(more, [], "one cache and nothing else");
  return join(cacheDir, name!);
}

test("photos are decoded once and found again, in the order of the samples", async () => {
  await withPhotos(7, async (samples, cacheDir) => {
    const steps: [number, number][] = [];
    const options = {
      cacheDir,
      side,
      onProgress: (done: number, total: number) => void steps.push([done, total]),
    };
    using built = await openPhotoStore(samples, options);
    assertEquals(built.origin, "built");
    await assertHolds(built, samples);
    assertEquals(steps, Array.from({ length: 7 }, (_, i) => [i + 1, 7]));
    using cached = await openPhotoStore(samples.toReversed(), options);
    assertEquals(cached.origin, "cached");
    await assertHolds(cached, samples.toReversed());
    assertEquals(steps.length, 7, "nothing was decoded the second time");
    assertEquals(cached.bytes, samples.reduce((sum, _, i) => sum + read(built, i).data.length, 0));
  });
});

test("two builds write the same bytes whatever the timing of the decoders", async () => {
  await withPhotos(9, async (samples, cacheDir, dir) => {
    const shard = async (where: string, workers: number) => {
      using store = await openPhotoStore(samples, { cacheDir: where, side, workers });
      return store.readShard(0);
    };
    assertEquals(await shard(cacheDir, 1), await shard(join(dir, "other"), 3));
  });
});

test("photos can be kept in memory, and nothing is written", async () => {
  await withPhotos(4, async (samples, _, dir) => {
    using store = await openPhotoStore(samples, { cacheDir: null, side });
    assertEquals(store.origin, "memory");
    await assertHolds(store, samples);
    assertEquals(names(dir), ["photos"]);
  });
});

test("a selection shares the cache and has its own order and labels", async () => {
  await withPhotos(5, async (samples, cacheDir) => {
    using store = await openPhotoStore(samples, { cacheDir, side });
    const some = [{ ...samples[3]!, label: 8 }, samples[1]!];
    await assertHolds(store.select(some), some);
    assertThrows(
      () => store.select([{ path: "/other.jpg", label: 0, class: "a" }]),
      RangeError,
      "/other.jpg is not in",
    );
  });
});

test("a data set that is part of a cached one uses its cache", async () => {
  await withPhotos(5, async (samples, cacheDir) => {
    (await openPhotoStore(samples, { cacheDir, side })).close();
    using part = await openPhotoStore(samples.slice(2), { cacheDir, side });
    assertEquals(part.origin, "cached");
    await assertHolds(part, samples.slice(2));
  });
});

test("a photo that changed, came or went is noticed", async () => {
  await withPhotos(4, async (samples, cacheDir) => {
    const open = async (some: Sample[]) => {
      using store = await openPhotoStore(some, { cacheDir, side });
      await assertHolds(store, some);
      return store.origin;
    };
    assertEquals(await open(samples.slice(0, 3)), "built");
    assertEquals(await open(samples), "built", "one more photo");
    await Deno.writeFile(samples[1]!.path, await photo(50, 60, 9));
    assertEquals(await open(samples), "built", "another photo of another size");
    await Deno.utime(samples[2]!.path, new Date(), new Date(Date.now() - 86_400_000));
    assertEquals(await open(samples), "built", "another time");
    assertEquals(await open(samples), "cached");
    cacheIn(cacheDir);
  });
});

test("photos of another size have a cache of their own", async () => {
  await withPhotos(2, async (samples, cacheDir) => {
    (await openPhotoStore(samples, { cacheDir, side })).close();
    using small = await openPhotoStore(samples, { cacheDir, side: 12 });
    assertEquals([small.origin, Math.min(small.entries[0]!.width, small.entries[0]!.height)], ["built", 12]);
    assertEquals(names(cacheDir).length, 2);
  });
});

test("a cache that is cut off, changed or of another version is built anew", async () => {
  await withPhotos(3, async (samples, cacheDir) => {
    (await openPhotoStore(samples, { cacheDir, side })).close();
    const cache = cacheIn(cacheDir), index = join(cache, "index.json"), shard = join(cache, "shard-000.rgba");
    const text = await Deno.readTextFile(index);
    const ways: Record<string, () => Promise<void>> = {
      "no index": () => Deno.remove(index),
      "an empty index": () => Deno.writeTextFile(index, ""),
      "half an index": () => Deno.writeTextFile(index, text.slice(0, text.length / 2)),
      "a changed index": () => Deno.writeTextFile(index, text.replace('"width":', '"width":1')),
      "an index without its checksum": () => Deno.writeTextFile(index, text.slice(text.indexOf("\n") + 1)),
      "another version": async () => {
        const body = text.slice(text.indexOf("\n") + 1).replace(/"version":\d+/, '"version":0');
        assertNotEquals(body, text.slice(text.indexOf("\n") + 1));
        const sum = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(body));
        await Deno.writeTextFile(index, `${new Uint8Array(sum).toHex()}\n${body}`);
      },
      "a shard cut off": () => Deno.truncate(shard, 100),
      "no shard": () => Deno.remove(shard),
      "a file in the cache's place": async () => {
        await Deno.remove(cache, { recursive: true });
        await Deno.writeTextFile(cache, "");
      },
    };
    for (const [way, damage] of Object.entries(ways)) {
      await damage();
      using store = await openPhotoStore(samples, { cacheDir, side });
      assertEquals(store.origin, "built", way);
      await assertHolds(store, samples);
      assertEquals(cacheIn(cacheDir), cache);
    }
  });
});

test("files that cannot be decoded are named and left out, also when they are found in the cache", async () => {
  await withPhotos(4, async (samples, cacheDir) => {
    await Deno.writeTextFile(samples[1]!.path, "not a photo");
    const missing = { path: join(dirname(samples[0]!.path), "missing.jpg"), label: 0, class: "a" };
    for (const origin of ["built", "cached"]) {
      using store = await openPhotoStore([...samples, missing], { cacheDir, side });
      assertEquals(store.origin, origin);
      assertEquals(store.entries.map((entry) => entry.path), [0, 2, 3].map((i) => samples[i]!.path));
      assertEquals(store.skipped.map((photo) => photo.path), [samples[1]!.path, missing.path]);
      assert(
        store.skipped[0]!.reason.includes("no JPEG, PNG, GIF, TIFF, WebP, BMP, AVIF or HEIC"),
        store.skipped[0]!.reason,
      );
      assert(store.skipped[1]!.reason.includes("Cannot read the file"), store.skipped[1]!.reason);
      assertEquals(store.select(samples.slice(0, 2)).skipped.length, 1);
    }
  });
});

test("a data set of which nothing can be decoded is an error, and leaves nothing behind", async () => {
  await withPhotos(2, async (samples, cacheDir) => {
    for (const { path } of samples) await Deno.writeTextFile(path, "text");
    const open = (cacheDir: string | null) => () => openPhotoStore(samples, { cacheDir, side });
    await assertRejects(open(cacheDir), DataError, "none of 2 can be decoded");
    await assertRejects(open(null), DataError, "none of 2 can be decoded");
    assertEquals(names(cacheDir), []);
  });
});

test("an aborted build ends with the signal's reason and leaves nothing behind", async () => {
  await withPhotos(12, async (samples, cacheDir) => {
    const controller = new AbortController();
    const onProgress = (done: number) => done === 3 && controller.abort(new Error("stop it"));
    const opening = openPhotoStore(samples, { cacheDir, side, onProgress, signal: controller.signal });
    await assertRejects(() => opening, Error, "stop it");
    assertEquals(names(cacheDir), []);
  });
});

test("a folder that cannot be written is a CacheError", async () => {
  await withPhotos(1, async (samples, _, dir) => {
    await Deno.writeTextFile(join(dir, "file"), "");
    const opening = openPhotoStore(samples, { cacheDir: join(dir, "file", "cache"), side });
    await assertRejects(() => opening, CacheError, "Cannot write the photo cache in");
  });
});

test({
  name: "a cache that outgrows what may be written is a CacheError and leaves nothing behind",
  ignore: Deno.build.os !== "linux",
  async fn() {
    await withPhotos(8, async (samples, cacheDir, dir) => {
      const script = join(dir, "script.ts");
      const module = new URL("../../../data/dataset/cache.ts", import.meta.url);
      await Deno.writeTextFile(
        script,
        `import { CacheError, openPhotoStore } from ${JSON.stringify(module.href)};
         try {
           await openPhotoStore(${JSON.stringify(samples)}, { cacheDir: ${
          JSON.stringify(cacheDir)
        }, side: 24 });
         } catch (error) {
           console.log(error instanceof CacheError, error.message);
         }`,
      );
      // Files end at 8 KiB, as on a disk that is full by then.
      const limited = `ulimit -f 8; trap "" XFSZ; exec "$0" run -A --quiet --no-lock --config "$1" "$2"`;
      const config = new URL("../../../deno.json", import.meta.url).pathname;
      const command = new Deno.Command("bash", { args: ["-c", limited, Deno.execPath(), config, script] });
      const { stdout, stderr } = await command.output();
      const text = new TextDecoder().decode(stdout);
      assert(
        text.startsWith("true Cannot write the photo cache in"),
        text + new TextDecoder().decode(stderr),
      );
      assertEquals(names(cacheDir), []);
    });
  },
});

test("drafts of programs that were killed are removed after an hour, and not before", async () => {
  await withPhotos(1, async (samples, cacheDir) => {
    (await openPhotoStore(samples, { cacheDir, side })).close();
    const cache = cacheIn(cacheDir);
    const drafts = ["old", "fresh"].map((name) =>
      join(cacheDir, `.${cache.slice(cacheDir.length + 1)}-${name}`)
    );
    for (const draft of drafts) await Deno.mkdir(join(draft, "new"), { recursive: true });
    const before = new Date(Date.now() - 7_200_000);
    for (const path of [join(drafts[0]!, "new"), drafts[0]!]) await Deno.utime(path, before, before);
    await Deno.remove(join(cache, "index.json"));
    (await openPhotoStore(samples, { cacheDir, side })).close();
    assertEquals(names(cacheDir).map((name) => join(cacheDir, name)).sort(), [drafts[1]!, cache].sort());
  });
});

test("two programs that fill the same cache at once both succeed", async () => {
  await withPhotos(4, async (samples, cacheDir) => {
    const stores = await Promise.all([1, 2].map(() => openPhotoStore(samples, { cacheDir, side })));
    for (const store of stores) {
      await assertHolds(store, samples);
      store.close();
    }
    cacheIn(cacheDir);
  });
});

test("a photo is copied to the start of an array that holds it, and no further", async () => {
  await withPhotos(2, async (samples, cacheDir) => {
    using store = await openPhotoStore(samples, { cacheDir, side });
    const { data } = read(store, 1);
    const buffer = new Uint8Array(data.length + 10).fill(7);
    store.pixels(1)(buffer);
    assertEquals(buffer.subarray(0, data.length), data);
    assertEquals(buffer.subarray(data.length), new Uint8Array(10).fill(7));
    const tooSmall = () => store.pixels(1)(buffer.subarray(0, data.length - 1));
    assertThrows(tooSmall, RangeError, "Cannot read photo 1: it has");
    assertThrows(() => store.readInto(2, buffer), RangeError, "the store has 2");
  });
});
