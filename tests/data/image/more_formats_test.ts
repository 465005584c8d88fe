/** WebP, BMP, AVIF and HEIC; `tests/fixtures/README.md` says how the files came about. */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { checkImage, decodeImage, decodingWork } from "../../../data/image/decode.ts";
import { DecoderPool } from "../../../data/image/decoder_pool.ts";
import { type DecodedImage, ImageError, type ImageErrorCode } from "../../../data/image/image.ts";
import { readImageHeader } from "../../../data/image/image_header.ts";
import { encodeBmp, join } from "../encoders.ts";
import { testNeeding } from "../../permissions.ts";

const test = testNeeding("all");

const FILES = ["quarters.webp", "lossless.webp", "quarters.avif", "turned.avif", "quarters.heic"] as const;
type File = typeof FILES[number];

function fixture(name: File): Uint8Array<ArrayBuffer> {
  return Deno.readFileSync(new URL(`../../fixtures/photos/${name}`, import.meta.url));
}

/** The colours in the middle of the four quarters, as letters; unturned they are red, green, blue, white. */
function corners({ width, height, data }: DecodedImage): string {
  const at = (x: number, y: number) => {
    const i = (Math.floor(y * height) * width + Math.floor(x * width)) * 4;
    const [r, g, b] = [data[i]! > 128, data[i + 1]! > 128, data[i + 2]! > 128];
    return r && g && b ? "w" : r ? "r" : g ? "g" : b ? "b" : "?";
  };
  return at(0.25, 0.25) + at(0.75, 0.25) + at(0.25, 0.75) + at(0.75, 0.75);
}

/** Decodes in a pool's process, as every program does. */
async function inPool(bytes: Uint8Array): Promise<DecodedImage> {
  await using pool = new DecoderPool({ workers: 1 });
  return await pool.decode(bytes);
}

async function refuses(bytes: Uint8Array, code: ImageErrorCode, message: string) {
  const error = await assertRejects(() => inPool(bytes), ImageError, message) as ImageError;
  assertEquals(error.code, code);
}

function tooLarge(bytes: Uint8Array, size: string) {
  const error = assertThrows(() => checkImage(bytes), ImageError, size) as ImageError;
  assertEquals(error.code, "too-large");
}

/** The bytes with others from an offset on, or from where `mark` stands and as far behind it. */
function patched(bytes: Uint8Array, mark: string | number, offset: number, ...others: number[]) {
  const at = typeof mark === "number" ? mark : new TextDecoder("latin1").decode(bytes).indexOf(mark);
  assert(at >= 0);
  const copy = bytes.slice();
  copy.set(others, at + offset);
  return copy;
}

const letters = (text: string) => [...text].map((c) => c.charCodeAt(0));

for (const name of FILES) {
  test(`${name} decodes to its pixels in a process that may only read decoders`, async () => {
    const image = await inPool(fixture(name)), turned = name === "turned.avif";
    assertEquals([image.width, image.height], turned ? [32, 48] : [48, 32]);
    assertEquals(corners(image), turned ? "wgbr" : "rgbw");
    for (let i = 3; i < image.data.length; i += 4) assertEquals(image.data[i], 255);
  });

  test(`${name} is refused wherever it is cut off`, async () => {
    const bytes = fixture(name);
    await using pool = new DecoderPool({ workers: 1 });
    for (let end = 40; end < bytes.length; end += Math.ceil(bytes.length / 25)) {
      const error = await assertRejects(() => pool.decode(bytes.subarray(0, end)), ImageError) as ImageError;
      assert(["corrupt", "unsupported"].includes(error.code), `${end}: ${error.message}`);
    }
  });
}

test("a decoder that was fetched leaves the project's lock file as it is", async () => {
  const lock = new URL("../../../deno.lock", import.meta.url), before = await Deno.readTextFile(lock);
  await inPool(fixture("quarters.avif"));
  assertEquals(await Deno.readTextFile(lock), before);
});

test("one process decodes what needs a fetched decoder and what does not", async () => {
  await using pool = new DecoderPool({ workers: 1 });
  const order: File[] = ["quarters.webp", "quarters.heic", "lossless.webp", "quarters.avif", "quarters.heic"];
  for (const name of order) assertEquals(corners(await pool.decode(fixture(name))), "rgbw");
});

Deno.test("a size in a header that is too large is refused before any decoder starts", () => {
  const webp = (...chunk: (number | string)[]) =>
    join("RIFF", 30, 0, 0, 0, "WEBP", ...chunk, ...Array(16).fill(0));
  tooLarge(webp("VP8X", 10, 0, 0, 0, 0, 0, 0, 0, 0x3f, 0x9c, 0, 0x3f, 0x9c, 0), "40000x40000");
  tooLarge(webp("VP8 ", 10, 0, 0, 0, 0x10, 0, 0, 0x9d, 1, 0x2a, 0xff, 0x3f, 0xff, 0x3f), "16383x16383");
  tooLarge(webp("VP8L", 5, 0, 0, 0, 0x2f, 0xff, 0xff, 0xff, 0x0f), "16384x16384");
  const bmp = encodeBmp({ width: 1, height: 1, bits: 24, rows: [[1, 2, 3]] });
  tooLarge(patched(bmp, 18, 0, 0x40, 0x9c, 0, 0, 0x40, 0x9c, 0, 0), "40000x40000");
});

testNeeding("read")(
  "a size in a HEIC's or AVIF's header that is too large is refused before any decoder starts",
  () => {
    for (const name of ["quarters.heic", "quarters.avif"] as const) {
      let bytes: Uint8Array = fixture(name);
      // Every size that it states, of which the last is that of the picture to show.
      for (let at = -1; (at = new TextDecoder("latin1").decode(bytes).indexOf("ispe", at + 1)) >= 0;) {
        bytes = patched(bytes, at, 8, 0, 0, 0x9c, 0x40, 0, 0, 0x9c, 0x40);
      }
      tooLarge(bytes, "40000x40000");
    }
  },
);

test("a HEIC is turned and mirrored as it says, with the size that it then has", async () => {
  // The fixture's last property says how many bits its channels have, which nothing needs to know.
  const turned = (type: string, value: number) => {
    const bytes = patched(fixture("quarters.heic"), "pixi", 0, ...letters(type), value);
    return { bytes, header: readImageHeader(bytes) };
  };
  const cases = [
    ["irot", 1, "gwrb"],
    ["irot", 2, "wbgr"],
    ["irot", 3, "brwg"],
    ["imir", 0, "bwrg"],
    ["imir", 1, "grwb"],
  ] as const;
  for (const [type, value, expected] of cases) {
    const { bytes, header } = turned(type, value), image = await inPool(bytes);
    assertEquals(corners(image), expected, `${type} ${value}`);
    assertEquals([header.width, header.height], [image.width, image.height]);
  }
});

test("a WebP's EXIF orientation is applied, with and without the mark that a JPEG has before it", async () => {
  const still = fixture("quarters.webp").subarray(12);
  const exif = join("MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0");
  for (const mark of ["", "Exif\0\0"]) {
    const notes = join(mark, exif);
    const body = join(
      "WEBPVP8X",
      10,
      0,
      0,
      0,
      8,
      0,
      0,
      0,
      47,
      0,
      0,
      31,
      0,
      0,
      still,
      "EXIF",
      notes.length,
      0,
      0,
      0,
      notes,
    );
    const image = await inPool(join("RIFF", body.length & 255, body.length >> 8, 0, 0, body));
    assertEquals([image.width, image.height, corners(image)], [32, 48, "brwg"]);
  }
});

test("of an animated WebP the first frame is read, in its place on a white canvas", async () => {
  const still = fixture("lossless.webp").subarray(12);
  const animated = (left: number) => {
    const frame = join(left / 2, 0, 0, 4, 0, 0, 47, 0, 0, 31, 0, 0, 100, 0, 0, 0, still);
    const body = join("WEBPVP8X", 10, 0, 0, 0, 2, 0, 0, 0, 95, 0, 0, 63, 0, 0);
    const anim = join("ANIM", 6, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    const all = join(body, anim, "ANMF", frame.length, 0, 0, 0, frame);
    return join("RIFF", all.length & 255, all.length >> 8, 0, 0, all);
  };
  const { width, height, data } = await inPool(animated(20));
  assertEquals([width, height], [96, 64]);
  const at = (x: number, y: number) => [...data.subarray((y * width + x) * 4, (y * width + x) * 4 + 3)];
  assertEquals(at(0, 0), [255, 255, 255]);
  assertEquals(at(21, 9), [255, 0, 0]);
  assertEquals(at(66, 9), [0, 255, 0]);
  assertEquals(at(21, 38), [0, 0, 255]);
  await refuses(animated(60), "corrupt", "beyond its canvas");
});

Deno.test("a BMP of every depth decodes to its pixels, rows either way up", async () => {
  const [red, green] = [[0, 0, 255], [0, 255, 0]] as const; // as stored
  const palette = [red, green];
  const red16 = 0x7c00, green16 = 0x3e0;
  const files = [
    { bits: 1, palette, rows: [[0x40, 0, 0, 0], [0x80, 0, 0, 0]] },
    { bits: 4, palette, rows: [[0x01, 0, 0, 0], [0x10, 0, 0, 0]] },
    { bits: 8, palette, rows: [[0, 1, 0, 0], [1, 0, 0, 0]] },
    {
      bits: 16,
      rows: [[red16 & 255, red16 >> 8, green16 & 255, green16 >> 8], [
        green16 & 255,
        green16 >> 8,
        red16 & 255,
        red16 >> 8,
      ]],
    },
    { bits: 24, rows: [[...red, ...green, 0, 0], [...green, ...red, 0, 0]] },
    { bits: 32, rows: [[...red, 0, ...green, 0], [...green, 0, ...red, 0]] },
    { bits: 8, palette, packing: 1, rows: [[1, 0, 1, 1, 0, 0], [1, 1, 1, 0, 0, 1]] },
    { bits: 4, palette, packing: 2, rows: [[2, 0x01, 0, 0], [0, 3, 0x10, 0, 0, 1]] },
    { bits: 8, palette, core: true, rows: [[0, 1, 0, 0], [1, 0, 0, 0]] },
  ];
  for (const file of files) {
    for (const topDown of file.packing || file.core ? [false] : [false, true]) {
      const image = await decodeImage(encodeBmp({ width: 2, height: 2, topDown, ...file }));
      const pixels = Array.from({ length: 4 }, (_, i) => [...image.data.subarray(4 * i, 4 * i + 4)]);
      const [r, g] = [[255, 0, 0, 255], [0, 255, 0, 255]];
      assertEquals(
        pixels,
        topDown ? [r, g, g, r] : [g, r, r, g],
        `${file.bits} bits, packing ${file.packing}`,
      );
    }
  }
});

Deno.test("a BMP's masks say where its colours and alpha are; alpha that is 0 everywhere was never set", async () => {
  const masks = [0xff0000, 0xff00, 0xff, 0xff000000];
  const of = (...alphas: number[]) =>
    encodeBmp({
      width: 2,
      height: 1,
      bits: 32,
      packing: 3,
      masks,
      rows: [alphas.flatMap((a) => [10, 20, 30, a])],
    });
  const see = await decodeImage(of(0, 255));
  assertEquals([...see.data], [255, 255, 255, 255, 30, 20, 10, 255]);
  const unset = await decodeImage(of(0, 0));
  assertEquals([...unset.data], [30, 20, 10, 255, 30, 20, 10, 255]);
});

Deno.test("a BMP that lacks pixels, runs on or is of an unknown kind is refused with a reason", async () => {
  const whole = encodeBmp({
    width: 2,
    height: 2,
    bits: 24,
    rows: [[1, 2, 3, 4, 5, 6, 0, 0], [1, 2, 3, 4, 5, 6, 0, 0]],
  });
  const fails = async (bytes: Uint8Array, code: ImageErrorCode, message: string) => {
    const error = await assertRejects(() => decodeImage(bytes), ImageError, message) as ImageError;
    assertEquals(error.code, code);
  };
  await fails(whole.subarray(0, whole.length - 3), "corrupt", "cut off");
  await fails(patched(whole, 30, 0, 4), "unsupported", "24 bits per pixel in compression 4");
  const palette = [[0, 0, 255]];
  // A run may go on beyond the row, and is cut there; one without an end is cut off.
  const runs = (...row: number[]) =>
    encodeBmp({ width: 2, height: 2, bits: 8, packing: 1, palette, rows: [row] });
  assertEquals((await decodeImage(runs(255, 0, 0, 0, 255, 0, 0, 1))).width, 2);
  await fails(runs(2, 0, 0, 0, 2, 0), "corrupt", "cut off");
});

Deno.test("a HEIC or AVIF gets the time of several other pictures of its size", () => {
  const work = (format: "webp" | "heic" | "avif") =>
    decodingWork({ format, width: 400, height: 250, orientation: 1 });
  assertEquals(["heic", "avif"].map((format) => Math.round(work(format as "heic") / work("webp"))), [3, 8]);
});
