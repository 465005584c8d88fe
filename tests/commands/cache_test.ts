import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { dirname, join } from "@std/path";
import { clearCache, surveyCache } from "../../data/cache_folder.ts";
import { CACHE_FOLDER, openPhotoStore } from "../../data/dataset/cache.ts";
import { drawShape, encodeJpeg } from "../../data/shapes/shape_drawing.ts";
import { SHAPES_FOLDER } from "../../data/shapes/shapes.ts";
import { ENGINE_PLACE } from "../../commands/web/engine_module.ts";
import { DRIVER_FOLDER } from "../../engine/driver.ts";
import { makeDraft } from "../../data/drafts.ts";
import { TILE_FILE } from "../../model/tuned_gpu.ts";
import { testNeeding } from "../permissions.ts";

const test = testNeeding("all");

/** A cache folder with something of every kind, and a folder beside it. */
async function withCache(work: (root: string, outside: string) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir();
  const write = async (path: string, bytes: Uint8Array) => {
    await Deno.mkdir(dirname(join(dir, path)), { recursive: true });
    await Deno.writeFile(join(dir, path), bytes);
  };
  try {
    const root = join(dir, "kept");
    await write("photos/1.jpg", await encodeJpeg(drawShape("star", 1, 1)));
    await write("outside/precious.jpg", new Uint8Array(7));
    await write("kept/tiles.json", new Uint8Array(100));
    await write("kept/browser/alexnet.js", new Uint8Array(100));
    await write("kept/shapes/train/star/1.jpg", new Uint8Array(1000));
    await write("kept/screenshots/a.png", new Uint8Array(10));
    await work(root, join(dir, "outside"));
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

const openStore = (root: string) =>
  openPhotoStore([{ path: join(root, "../photos/1.jpg"), label: 0, class: "star" }], {
    ...{ cacheDir: join(root, "photos"), side: 32, workers: 1 },
  });
const kindsOf = (entries: readonly { kind: string }[]) =>
  entries.map(({ kind }) => kind).filter((kind) => kind !== "driver").toSorted();

test("every place that is written between runs is a kind of the cache folder", () => {
  assertEquals(
    [CACHE_FOLDER, SHAPES_FOLDER, TILE_FILE, DRIVER_FOLDER, ENGINE_PLACE].map((path) =>
      path.replaceAll("\\", "/")
    ),
    [
      ".cache/photos",
      ".cache/shapes",
      ".cache/tiles.json",
      ".cache/drivers",
      ".cache/browser/alexnet.js",
    ],
  );
});

test("what is kept is found with its size and last use, and cleared by kind", () =>
  withCache(async (root) => {
    (await openStore(root)).close();
    const entries = await surveyCache(root);
    assertEquals(kindsOf(entries), ["browser", "other", "photos", "shapes", "tiles"]);
    assertEquals(entries.find(({ kind }) => kind === "shapes")!.bytes, 1000);
    const now = Date.now(), driver = entries.filter(({ kind }) => kind === "driver");
    assert(entries.every((entry) => driver.includes(entry) || now - entry.used!.getTime() < 600_000));
    assertEquals(kindsOf(await clearCache(["tiles", "browser"], root)), ["browser", "tiles"]);
    assertEquals(kindsOf(await surveyCache(root)), ["other", "photos", "shapes"]);
    assertEquals((await clearCache(["photos", "shapes", "tiles"], root)).map(({ held }) => held), [
      undefined,
      undefined,
    ]);
    assertEquals(kindsOf(await surveyCache(root)), ["other"]);
    assertEquals([...Deno.readDirSync(join(root, "photos"))], []);
  }));

test("photos that a program reads stay, with the shapes that it may decode, and go when it ends", () =>
  withCache(async (root) => {
    const store = await openStore(root);
    const held = await clearCache(["photos", "shapes"], root);
    assertEquals(held.map(({ held }) => held), ["a program reads it", "a run that is going on may read it"]);
    store.readShard(0);
    store.close();
    (await openStore(root)).close(); // found again, whole
    assertEquals((await clearCache(["photos", "shapes"], root)).map(({ held }) => held), [
      undefined,
      undefined,
    ]);
  }));

test("drafts that a program writes stay, those that were left go", () =>
  withCache(async (root) => {
    for (const name of [".a-32-x-1", ".a-32-x-2"]) {
      await Deno.mkdir(join(root, "photos", name, "new"), { recursive: true });
      await Deno.writeFile(join(root, "photos", name, "new/0"), new Uint8Array(5));
    }
    await Deno.utime(join(root, "photos/.a-32-x-2/new/0"), 1_000_000, 1_000_000);
    const cleared = await clearCache(["photos"], root);
    assertEquals(cleared.map(({ held }) => held), [
      "it is new, and a program may write it",
      undefined,
    ]);
    assertEquals([...Deno.readDirSync(join(root, "photos"))].map(({ name }) => name), [".a-32-x-1"]);
  }));

test("a draft is known to be left as soon as its program has ended, and the next one removes it", () =>
  withCache(async (root) => {
    const photos = join(root, "photos");
    await Deno.mkdir(photos);
    const names = () => [...Deno.readDirSync(photos)].map(({ name }) => name);
    const module = new URL("../../data/drafts.ts", import.meta.url).href;
    const code = `const { makeDraft } = await import(${JSON.stringify(module)});
      const { path } = await makeDraft(${JSON.stringify(photos)}, ".a-32-x-");
      Deno.writeTextFileSync(path + "/0", "half");
      console.log("writing");
      setInterval(() => {}, 1000);`;
    const killed = async () => {
      const writer = new Deno.Command(Deno.execPath(), {
        args: ["eval", "--config", new URL("../../deno.json", import.meta.url).pathname, code],
        stdout: "piped",
        stderr: "inherit",
      }).spawn();
      const reader = writer.stdout.getReader();
      await reader.read();
      const held = (await clearCache(["photos"], root)).map(({ held }) => held);
      writer.kill("SIGKILL");
      await writer.status;
      await reader.cancel();
      return held;
    };
    assertEquals(await killed(), ["a program writes it"]);
    const left = (await surveyCache(root)).filter(({ kind }) => kind === "photos");
    assertEquals(left.map(({ held, note }) => [held, note]), [[undefined, "left by a program that ended"]]);
    {
      const abandoned = names();
      await using draft = await makeDraft(photos, ".a-32-x-");
      assertEquals(names().map((name) => join(photos, name)), [draft.path]);
      assert(!abandoned.some((name) => names().includes(name)));
    }
    assertEquals(names(), []);
    assertEquals(await killed(), ["a program writes it"]);
    assertEquals((await clearCache(["photos"], root)).map(({ held }) => held), [undefined]);
    assertEquals(names(), []);
  }));

test("the project's own drivers are cleared with the choice, but not while setup writes or a program runs", () =>
  withCache(async (root) => {
    const drivers = join(root, "drivers");
    await Deno.mkdir(join(drivers, ".1.tmp"), { recursive: true });
    await Deno.writeTextFile(join(drivers, "choice.json"), "{}");
    const clear = async () => (await clearCache(["drivers"], root)).map(({ held }) => held);
    assertEquals(await clear(), ["`deno task setup` may be writing it"]);
    await Deno.remove(join(drivers, ".1.tmp"));
    if (Deno.build.os === "linux") {
      // A program in the folder is in its own memory, as a library would be.
      const program = join(drivers, "sleep");
      await Deno.copyFile("/bin/sleep", program);
      const running = new Deno.Command(program, { args: ["60"] }).spawn();
      assertEquals(await clear(), ["a program runs with it"]);
      running.kill("SIGKILL");
      await running.status;
    }
    assertEquals(await clear(), [undefined]);
    assertEquals(kindsOf(await surveyCache(root)), ["browser", "other", "shapes", "tiles"]);
  }));

test("nothing outside of the folder is removed, though a link leads there", () =>
  withCache(async (root, outside) => {
    await Deno.mkdir(join(root, "photos"));
    await Deno.symlink(outside, join(root, "photos/linked"));
    await Deno.remove(join(root, "shapes"), { recursive: true });
    await Deno.symlink(outside, join(root, "shapes"));
    const cleared = await clearCache(["photos", "shapes"], root);
    assertEquals(cleared.map(({ held }) => held), Array(2).fill("it lies outside of the cache folder"));
    assertEquals([...Deno.readDirSync(outside)].length, 1);
  }));

async function run(...args: string[]) {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", new URL("../../commands/cache.ts", import.meta.url).pathname, ...args],
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, out: text(stdout), error: text(stderr) };
}

test("the command shows, clears and refuses what is no kind", () =>
  withCache(async (root) => {
    const shown = await run("--folder", root);
    assertMatch(shown.out, /shapes +1 kB +used \d{4}-\d\d-\d\d +\S+shapes\n/);
    assertMatch(shown.out, /other .+\(not of this project\)/);
    assertMatch(
      shown.out,
      /in all; --clear \[photos\|shapes\|tiles\|drivers\|checkpoints\|browser\] removes 1.2 kB of it/,
    );
    const cleared = await run("--folder", root, "--clear", "shapes");
    assertMatch(cleared.out, /^shapes .+ removed, used .+\n1 kB freed\n$/);
    assertEquals(JSON.parse((await run("--folder", root, "--clear", "--json")).out).freed, 200);
    assertMatch((await run("--folder", join(root, "none"), "tiles")).out, /^Nothing is kept in /);
    const wrong = await run("--clear", "driver");
    assertEquals(wrong.code, 2);
    assertStringIncludes(
      wrong.error,
      "KIND is driver, wanted one of photos, shapes, tiles, drivers, checkpoints, browser",
    );
  }));
