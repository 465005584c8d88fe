import { assert, assertEquals, assertRejects } from "@std/assert";
import { decodeImage } from "../../../data/image/decode.ts";
import { DecoderPool, timeFor } from "../../../data/image/decoder_pool.ts";
import { ImageError, type ImageErrorCode } from "../../../data/image/image.ts";
import {
  encodeFlatJpeg,
  encodeGif,
  encodeJpeg,
  encodePng,
  encodeScans,
  gifFrame,
  join,
  withJpegSize,
  withOrientation,
} from "../encoders.ts";
import { testNeeding } from "../../permissions.ts";

const test = testNeeding("all");

const picture = (width: number, height: number, seed = 1) => ({
  width,
  height,
  data: Uint8Array.from({ length: width * height * 4 }, (_, i) => i % 4 === 3 ? 255 : (i * seed) >> 3 & 255),
});

async function assertCode(decoding: Promise<unknown>, code: ImageErrorCode, message: string) {
  const error = await assertRejects(() => decoding, ImageError, message) as ImageError;
  assertEquals(error.code, code);
}

/** A small file that keeps a decoder busy for seconds, though it is just within what is allowed. */
const slowJpeg = encodeScans({ side: 8000, refinements: 38 });

test("the pool decodes as decodeImage does, many at a time, whichever is done first", async () => {
  await using pool = new DecoderPool({ workers: 2 });
  const files = await Promise.all(
    Array.from(
      { length: 12 },
      async (_, i) => withOrientation(await encodeJpeg(picture(40 + i, 30, i)), 1 + i % 8),
    ),
  );
  const images = await Promise.all(
    files.map((file) => pool.decode(new Uint8Array(file), { shorterSide: 20 })),
  );
  for (const [i, file] of files.entries()) {
    assertEquals(images[i], await decodeImage(file, { shorterSide: 20 }));
  }
});

test("bytes that are part of a larger buffer decode and are left as they were", async () => {
  await using pool = new DecoderPool({ workers: 1 });
  const jpeg = await encodeJpeg(picture(32, 16));
  const around = join(new Uint8Array(100), jpeg, new Uint8Array(50));
  const image = await pool.decode(around.subarray(100, 100 + jpeg.length));
  assertEquals([image.width, image.height], [32, 16]);
  assertEquals(around.subarray(100, 100 + jpeg.length), jpeg);
});

test("files that cannot be decoded are refused with their code, and the pool goes on", async () => {
  await using pool = new DecoderPool({ workers: 2 });
  const jpeg = await encodeJpeg(picture(64, 64));
  await Promise.all([
    assertCode(pool.decode(join("not an image")), "unsupported", "no JPEG"),
    assertCode(pool.decode(new Uint8Array()), "corrupt", "empty"),
    assertCode(pool.decode(jpeg.slice(0, jpeg.length - 60)), "corrupt", "Cannot decode the JPEG"),
    assertCode(pool.decode(withJpegSize(jpeg, 65500, 65500)), "too-large", "65500x65500"),
    assertCode(pool.decode(withJpegSize(jpeg, 3000, 2000)), "corrupt", "Cannot decode the JPEG"),
  ]);
  assertEquals((await pool.decode(jpeg)).width, 64);
});

test("a decoder that takes too long is killed and replaced", async () => {
  await using pool = new DecoderPool({ workers: 1, timeoutMs: 800 });
  const slow = pool.decode(slowJpeg);
  const next = encodeJpeg(picture(24, 24)).then((jpeg) => pool.decode(jpeg));
  await assertCode(slow, "timeout", "it took longer than 0.8 seconds");
  assertEquals((await next).width, 24);
});

/** The decoder processes that this program has started and that still run. */
function decoders(): number[] {
  const found: number[] = [];
  for (const { name } of Deno.readDirSync("/proc")) {
    if (!/^[1-9][0-9]*$/.test(name)) continue;
    try {
      const parent = Number(/^PPid:\s*(\d+)/m.exec(Deno.readTextFileSync(`/proc/${name}/status`))?.[1]);
      const command = Deno.readTextFileSync(`/proc/${name}/cmdline`);
      if (parent === Deno.pid && command.includes("decoder_process.ts")) found.push(Number(name));
    } catch {
      // it has ended meanwhile
    }
  }
  return found;
}

test({
  name: "no decoder process is left behind, not even one that was busy",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const before = decoders();
    const pool = new DecoderPool({ workers: 2, timeoutMs: 300 });
    const jpeg = await encodeJpeg(picture(8, 8));
    await Promise.all([pool.decode(jpeg), pool.decode(jpeg)]);
    assertEquals(decoders().length, before.length + 2);
    await assertCode(pool.decode(slowJpeg), "timeout", "took longer");
    const busy = assertRejects(
      async () => await pool.decode(slowJpeg),
      Error,
      "pool was closed",
    );
    await new Promise((resolve) => setTimeout(resolve, 100));
    await pool.close();
    await busy;
    assertEquals(decoders(), before);
  },
});

test({
  name: "an image whose decoder dies is decoded by another one",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const before = decoders(), failures: string[] = [];
    await using pool = new DecoderPool({ workers: 1, onFailure: (reason) => failures.push(reason) });
    await pool.decode(await encodeJpeg(picture(8, 8)));
    const [mine] = decoders().filter((pid) => !before.includes(pid));
    assert(mine! > 1, "the pool has a process");
    const decoding = pool.decode(await encodeJpeg(picture(900, 600)));
    Deno.kill(mine!, "SIGKILL");
    assertEquals((await decoding).width, 900);
    assertEquals(failures, ["the decoder process ended with code 137"]);
  },
});

test({
  name: "an image whose decoder dies twice is given up without calling it corrupt, and the pool goes on",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const before = decoders(), failures: string[] = [];
    await using pool = new DecoderPool({
      workers: 1,
      timeoutMs: 120_000,
      onFailure: (reason) => failures.push(reason),
    });
    const dying = assertCode(
      pool.decode(slowJpeg),
      "failed",
      "its decoder ended twice: the decoder process ended with code 137",
    );
    const killer = setInterval(() => {
      for (const pid of decoders()) if (!before.includes(pid) && isDecoding(pid)) Deno.kill(pid, "SIGKILL");
    }, 50);
    await dying.finally(() => clearInterval(killer));
    assertEquals(failures.length, 2);
    assertEquals((await pool.decode(await encodeJpeg(picture(9, 8)))).width, 9);
  },
});

/** Whether a decoder has taken memory for the slow image; one that is killed before has not started. */
function isDecoding(pid: number): boolean {
  const pages = Number(Deno.readTextFileSync(`/proc/${pid}/statm`).split(" ")[1]);
  return pages * 4096 > 150e6;
}

test("where no decoder can be started, the image is not called corrupt and the reason is told", async () => {
  const file = (path: string) => new URL(`../../../${path}`, import.meta.url).href;
  const script = `
    import { DecoderPool } from ${JSON.stringify(file("data/image/decoder_pool.ts"))};
    import { encodeFlatJpeg } from ${JSON.stringify(file("tests/data/encoders.ts"))};
    const jpeg = encodeFlatJpeg({ columns: 1, rows: 1, blocks: [[1, 2, 3]] });
    await new DecoderPool().decode(jpeg).catch(({ name, code, message }) => console.log(name, code, message));
  `;
  const path = await Deno.makeTempFile({ suffix: ".ts" });
  await Deno.writeTextFile(path, script);
  const args = [
    "run",
    "--no-prompt",
    "--allow-read",
    "--allow-env",
    "--config",
    new URL(file("deno.json")).pathname,
  ];
  const { stdout } = await new Deno.Command(Deno.execPath(), { args: [...args, path] }).output();
  await Deno.remove(path);
  const expected =
    "ImageError unavailable Cannot decode the image: a decoder cannot be started: Requires run access";
  assertEquals(new TextDecoder().decode(stdout).slice(0, expected.length), expected);
});

test("a small image passes by heavy ones, of which one at a time is decoded where a process is spared", async () => {
  await using pool = new DecoderPool({ workers: 2, timeoutMs: 60_000, spareOne: true });
  const done: string[] = [];
  const heavy = [1, 2].map(() => pool.decode(slowJpeg).finally(() => done.push("heavy")).catch(() => {}));
  const small = await encodeJpeg(picture(24, 24));
  for (let i = 0; i < 3; i++) await pool.decode(small);
  assertEquals(done, []);
  await pool.close();
  await Promise.all(heavy);
});

test("an image's time grows with its work, from a fifth or 2 seconds to all of it", () => {
  assertEquals([0, 4e6, 16e6, 32e6, 100e6].map((work) => timeFor(work, 10_000)), [
    2000,
    3000,
    6000,
    10_000,
    10_000,
  ]);
  assertEquals([0, 40e6].map((work) => timeFor(work, 120_000)), [24_000, 120_000]);
  assertEquals([0, 1e6, 40e6].map((work) => timeFor(work, 4000)), [2000, 2100, 4000]);
  assertEquals([0, 100e6].map((work) => timeFor(work, 800)), [800, 800]);
});

test("small files that unfold to a huge picture leave this process's memory alone", async () => {
  await using pool = new DecoderPool({ workers: 2, timeoutMs: 60_000 });
  const side = 5000;
  const bombs = [
    encodePng({
      width: side,
      height: side,
      depth: 1,
      colorType: 0,
      rows: Array(side).fill(Array(side / 8).fill(0)),
    }),
    encodeGif({
      width: side,
      height: side,
      palette: Array(12).fill(9),
      frames: [gifFrame({ width: 1, height: 1, indices: [0] })],
    }),
    encodeFlatJpeg({ columns: 1, rows: 1, blocks: [[1, 2, 3]], size: [side, side] }),
  ];
  for (const bomb of bombs) assert(bomb.length < 200_000, `${bomb.length} bytes`);
  for (const bomb of bombs) {
    await pool.decode(bomb, { shorterSide: 64 }).then(
      (image) => assertEquals([image.width, image.height], [64, 64]),
      (error) => assertEquals(error.code, "corrupt"),
    );
  }
  // Far below the 100 MB of one such picture.
  const before = Deno.memoryUsage().rss;
  await Promise.all(bombs.map((bomb) => pool.decode(bomb, { shorterSide: 64 }).catch(() => {})));
  assert(Deno.memoryUsage().rss - before < 50e6);
});

test("an aborted decode is rejected with the signal's reason, waiting or running", async () => {
  await using pool = new DecoderPool({ workers: 1 });
  const jpeg = await encodeJpeg(picture(2000, 2000), { progressive: false });
  const running = new AbortController(), waiting = new AbortController();
  const first = pool.decode(jpeg, { signal: running.signal });
  const second = pool.decode(jpeg, { signal: waiting.signal });
  waiting.abort(new Error("gone away"));
  await assertRejects(() => second, Error, "gone away");
  running.abort(new Error("left too"));
  await assertRejects(() => first, Error, "left too");
  await assertRejects(
    () => pool.decode(jpeg, { signal: AbortSignal.abort(new Error("never")) }),
    Error,
    "never",
  );
  assertEquals((await pool.decode(await encodeJpeg(picture(9, 8)))).width, 9);
});

test("closing rejects what waits and what runs, and later calls", async () => {
  const pool = new DecoderPool({ workers: 1 });
  const jpeg = await encodeJpeg(picture(64, 64));
  const decoding = [pool.decode(jpeg), pool.decode(jpeg)].map((promise) =>
    assertRejects(() => promise, Error, "the decoder pool was closed")
  );
  await pool.close();
  await Promise.all(decoding);
  await assertRejects(() => pool.decode(jpeg), Error, "the decoder pool is closed");
  await pool.close();
});

test("a request of many images lets the others pass: those of one signal take turns with those of others", async () => {
  await using pool = new DecoderPool({ workers: 1 });
  const file = await encodeJpeg(picture(60, 40));
  const order: string[] = [];
  const decode = (name: string, signal: AbortSignal) =>
    pool.decode(file, { signal }).then(() => order.push(name));
  const many = new AbortController().signal, single = new AbortController().signal;
  const first = Array.from({ length: 8 }, (_, i) => decode(`many ${i}`, many));
  await Promise.all([...first, decode("single", single)]);
  assert(order.indexOf("single") <= 1, order.join());
});
