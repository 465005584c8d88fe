import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { openPhotoStore } from "../../../data/dataset/cache.ts";
import { fetchCodec, FETCHED_PACKAGES } from "../../../data/image/fetched_codecs.ts";
import { ImageError } from "../../../data/image/image.ts";
import { testNeeding } from "../../permissions.ts";
import { encodeJpeg } from "../encoders.ts";

const test = testNeeding("all");

test("a decoder that cannot be fetched is said to be missing, with the way out", async () => {
  const empty = await Deno.makeTempDir();
  // What is not in Deno's cache it cannot have, where nothing answers.
  const settings = { DENO_DIR: empty, HTTP_PROXY: "http://127.0.0.1:9", HTTPS_PROXY: "http://127.0.0.1:9" };
  const before = Object.keys(settings).map((name) => [name, Deno.env.get(name)] as const);
  try {
    for (const [name, value] of Object.entries(settings)) Deno.env.set(name, value);
    const error = await assertRejects(() => fetchCodec("heic"), ImageError) as ImageError;
    assertEquals(error.code, "no-decoder");
    assertMatch(
      error.message,
      /^Cannot decode the HEIC: its decoder \(npm:libheif-js@.*\) could not be fetched: .*deno task setup --decoders/,
    );
  } finally {
    for (const [name, value] of before) {
      value === undefined ? Deno.env.delete(name) : Deno.env.set(name, value);
    }
    await Deno.remove(empty, { recursive: true });
  }
});

test("a decoder is fetched from wherever a program runs, as what it needs is in the project", async () => {
  const before = Deno.cwd(), elsewhere = await Deno.makeTempDir();
  try {
    Deno.chdir(elsewhere);
    await fetchCodec("avif");
  } finally {
    Deno.chdir(before);
    await Deno.remove(elsewhere);
  }
});

test("set-up makes sure of the decoders, and says nothing where they are there", async () => {
  const { stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", "commands/setup.ts", "--check", "--decoders"],
    cwd: new URL("../../../", import.meta.url),
    env: { NO_COLOR: "1" },
  }).output();
  assertEquals(new TextDecoder().decode(stderr), "");
});

test("photos whose decoder cannot be fetched are left out with the reason, and tried again the next time", async () => {
  const photos = await Deno.makeTempDir(), cacheDir = join(photos, "cache");
  try {
    await Deno.copyFile(
      new URL("../../fixtures/photos/quarters.avif", import.meta.url),
      join(photos, "a.avif"),
    );
    const pixels = { width: 32, height: 32, data: new Uint8Array(32 * 32 * 4).fill(200) };
    await Deno.writeFile(join(photos, "b.jpg"), await encodeJpeg(pixels));
    const samples = ["a.avif", "b.jpg"].map((name) => ({ path: join(photos, name), label: 0, class: "x" }));
    const offline = () => Promise.reject(new ImageError("no-decoder", "there is no network"));
    const open = async (options: { fetchCodec?: typeof fetchCodec }) => {
      using store = await openPhotoStore(samples, { cacheDir, workers: 1, ...options });
      return [store.origin, store.entries.length, store.skipped.map(({ reason }) => reason)];
    };
    for (let time = 0; time < 2; time++) {
      assertEquals(await open({ fetchCodec: offline }), ["built", 1, ["there is no network"]]);
    }
    assertEquals(await open({}), ["built", 2, []]);
    assertEquals(await open({ fetchCodec: offline }), ["cached", 2, []]);
  } finally {
    await Deno.remove(photos, { recursive: true });
  }
});

testNeeding("read")("the image for containers brings the decoders that are fetched elsewhere", async () => {
  const dockerfile = await Deno.readTextFile(new URL("../../../Dockerfile", import.meta.url));
  for (const name of Object.values(FETCHED_PACKAGES)) assert(dockerfile.includes(` ${name} `), name);
});
