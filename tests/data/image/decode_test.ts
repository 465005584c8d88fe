import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { checkImage, decodeImage } from "../../../data/image/decode.ts";
import { type DecodedImage, ImageError, type ImageErrorCode } from "../../../data/image/image.ts";
import {
  encodeFlatJpeg,
  encodeGif,
  encodeJpeg,
  encodePng,
  encodeScans,
  encodeTiff,
  gifFrame,
  join,
  pngChunk,
  tiffDirectory,
  withJpegSize,
  withOrientation,
} from "../encoders.ts";
import { deflateSync } from "node:zlib";
import { testNeeding } from "../../permissions.ts";

const test = testNeeding("all");

const rgb = (image: DecodedImage) =>
  Array.from({ length: image.width * image.height }, (_, i) => [...image.data.subarray(i * 4, i * 4 + 3)]);

function assertOpaque(image: DecodedImage) {
  assertEquals(image.data.length, image.width * image.height * 4);
  for (let i = 3; i < image.data.length; i += 4) assertEquals(image.data[i], 255);
}

async function refuses(bytes: Uint8Array, code: ImageErrorCode, message: string) {
  const error = await assertRejects(() => decodeImage(bytes), ImageError, message) as ImageError;
  assertEquals(error.code, code);
}

/** Four quarters of 16x16 pixels: red, green, blue, white. */
function quarters(width = 32, height = 32): DecodedImage {
  const colours = [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]];
  const data = new Uint8Array(width * height * 4).fill(255);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      data.set(colours[(2 * y >= height ? 2 : 0) + (2 * x >= width ? 1 : 0)]!, (y * width + x) * 4);
    }
  }
  return { width, height, data };
}

/** The colours in the middle of the four quarters, as letters. */
function corners({ width, height, data }: DecodedImage): string {
  const at = (x: number, y: number) => {
    const i = (Math.floor(y * height) * width + Math.floor(x * width)) * 4;
    const [r, g, b] = [data[i]! > 128, data[i + 1]! > 128, data[i + 2]! > 128];
    return r && g && b ? "w" : r ? "r" : g ? "g" : b ? "b" : "?";
  };
  return at(0.25, 0.25) + at(0.75, 0.25) + at(0.25, 0.75) + at(0.75, 0.75);
}

test("a JPEG decodes to its pixels, baseline, progressive and grey", async () => {
  for (const options of [{ progressive: false }, { progressive: true }, { color_space: 1 }]) {
    const image = await decodeImage(await encodeJpeg(quarters(40, 32), { quality: 95, ...options }));
    assertEquals([image.width, image.height], [40, 32]);
    assertOpaque(image);
    if (options.color_space === undefined) assertEquals(corners(image), "rgbw");
    else for (const [r, g, b] of rgb(image)) assert(r === g && g === b);
  }
});

test("every EXIF orientation is turned upright, exactly once", async () => {
  const jpeg = await encodeJpeg(quarters(48, 32), { quality: 95 });
  const upright = ["rgbw", "grwb", "wbgr", "bwrg", "rbgw", "brwg", "wgbr", "gwrb"];
  for (let orientation = 1; orientation <= 8; orientation++) {
    for (const shorterSide of [undefined, 16]) {
      const image = await decodeImage(withOrientation(jpeg, orientation), { shorterSide });
      assertEquals(corners(image), upright[orientation - 1], `orientation ${orientation}`);
      const size = shorterSide === undefined ? [48, 32] : [24, 16];
      assertEquals([image.width, image.height], orientation < 5 ? size : size.toReversed());
    }
  }
});

test("PNG and TIFF orientations are applied too", async () => {
  const rows = [[255, 0, 0, 0, 255, 0]];
  const chunks = [pngChunk("eXIf", tiffDirectory([[274, 6]], true))];
  const png = await decodeImage(encodePng({ width: 2, height: 1, colorType: 2, rows, chunks }));
  assertEquals([png.width, png.height, rgb(png)], [1, 2, [[255, 0, 0], [0, 255, 0]]]);
  const tiff = encodeTiff({ width: 2, height: 1, chunks: rows, tags: { 262: [2], 274: [3], 277: [3] } });
  assertEquals(rgb(await decodeImage(tiff)), [[0, 255, 0], [255, 0, 0]]);
});

test("PNGs of every colour type and depth decode to the same picture", async () => {
  const size = { width: 2, height: 2 };
  const expected = [[0, 0, 0], [255, 255, 255], [255, 255, 255], [0, 0, 0]];
  const palette = [pngChunk("PLTE", Uint8Array.of(0, 0, 0, 255, 255, 255))];
  const black = [0, 0, 0], white = [255, 255, 255];
  const wide = (row: number[]) => row.flatMap((v) => [v, v]);
  const files = {
    "grey 1": encodePng({ ...size, depth: 1, colorType: 0, rows: [[0x40], [0x80]] }),
    "grey 2": encodePng({ ...size, depth: 2, colorType: 0, rows: [[0x30], [0xc0]] }),
    "grey 4": encodePng({ ...size, depth: 4, colorType: 0, rows: [[0x0f], [0xf0]] }),
    "grey 8": encodePng({ ...size, colorType: 0, rows: [[0, 255], [255, 0]] }),
    "grey 16": encodePng({ ...size, depth: 16, colorType: 0, rows: [wide([0, 255]), wide([255, 0])] }),
    "rgb 8": encodePng({ ...size, colorType: 2, rows: [[...black, ...white], [...white, ...black]] }),
    "rgb 16": encodePng({
      ...size,
      depth: 16,
      colorType: 2,
      rows: [wide([...black, ...white]), wide([...white, ...black])],
    }),
    "palette 1": encodePng({ ...size, depth: 1, colorType: 3, rows: [[0x40], [0x80]], chunks: palette }),
    "palette 8": encodePng({ ...size, colorType: 3, rows: [[0, 1], [1, 0]], chunks: palette }),
    "grey and alpha": encodePng({ ...size, colorType: 4, rows: [[0, 255, 99, 0], [255, 255, 0, 255]] }),
    "rgba 8": encodePng({
      ...size,
      colorType: 6,
      rows: [[...black, 255, 9, 9, 9, 0], [...white, 255, ...black, 255]],
    }),
    "rgba 16": encodePng({
      ...size,
      depth: 16,
      colorType: 6,
      rows: [wide([...black, 255, 9, 9, 9, 0]), wide([...white, 255, ...black, 255])],
    }),
    "palette and transparency": encodePng({
      ...size,
      colorType: 3,
      rows: [[0, 1], [1, 0]],
      chunks: [pngChunk("PLTE", Uint8Array.of(0, 0, 0, 9, 9, 9)), pngChunk("tRNS", Uint8Array.of(255, 0))],
    }),
    "grey and a transparent value": encodePng({
      ...size,
      colorType: 0,
      rows: [[0, 99], [255, 0]],
      chunks: [pngChunk("tRNS", Uint8Array.of(0, 99))],
    }),
    "interlaced": encodePng({ ...size, colorType: 0, rows: [[0], [255], [255, 0]], interlaced: true }),
  };
  for (const [name, file] of Object.entries(files)) {
    const image = await decodeImage(file);
    assertEquals(rgb(image), expected, name);
    assertOpaque(image);
  }
});

test("what is half transparent is mixed with white", async () => {
  const rows = [[100, 0, 200, 128]];
  const image = await decodeImage(encodePng({ width: 1, height: 1, colorType: 6, rows }));
  assertEquals(rgb(image), [[177, 127, 227]]);
});

test("a GIF gives its first frame in its place, on white", async () => {
  const palette = [255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 9, 9];
  const frames = [
    gifFrame({ x: 1, y: 1, width: 2, height: 1, indices: [0, 3] }),
    gifFrame({ width: 3, height: 2, indices: [1, 1, 1, 1, 1, 1] }),
  ];
  const image = await decodeImage(encodeGif({ width: 3, height: 2, palette, frames, transparent: 3 }));
  const white = [255, 255, 255];
  assertEquals(rgb(image), [white, white, white, white, [255, 0, 0], white]);
  assertOpaque(image);
});

test("a CMYK JPEG with Adobe's inverted inks decodes to colours", async () => {
  // Inverted: 255 is no ink. White, cyan, half black, red.
  const blocks = [[255, 255, 255, 255], [0, 255, 255, 255], [255, 255, 255, 128], [255, 0, 0, 255]];
  const image = await decodeImage(encodeFlatJpeg({ columns: 4, rows: 1, blocks }));
  const pixels = rgb(image);
  assertEquals([0, 8, 16, 24].map((x) => pixels[x]), [[255, 255, 255], [0, 255, 255], [128, 128, 128], [
    255,
    0,
    0,
  ]]);
  assertOpaque(image);
});

test("shrinking brings the shorter side to the asked size and never enlarges", async () => {
  const png = (width: number, height: number) =>
    encodePng({
      width,
      height,
      colorType: 0,
      rows: Array.from({ length: height }, () => Array(width).fill(50)),
    });
  const size = async (width: number, height: number, shorterSide: number) => {
    const image = await decodeImage(png(width, height), { shorterSide });
    assert(image.data.every((v, i) => v === (i % 4 === 3 ? 255 : 50)), "a flat picture stays flat");
    return [image.width, image.height];
  };
  assertEquals(await size(40, 30, 12), [16, 12]);
  assertEquals(await size(30, 41, 12), [12, 16]);
  assertEquals(await size(7, 5, 3), [4, 3]);
  assertEquals(await size(125, 94, 64), [84, 64]); // 85.1, brought to a multiple of four as 64 is one
  assertEquals(await size(10, 8, 8), [10, 8]);
  assertEquals(await size(10, 8, 100), [10, 8]);
  assertEquals(await size(300, 1, 1), [300, 1]);
});

test("a cut-off file is corrupt, in every format", async () => {
  const jpeg = await encodeJpeg(quarters(64, 64), { progressive: false });
  const png = encodePng({ width: 2, height: 2, colorType: 0, rows: [[1, 2], [3, 4]] });
  const tiff = encodeTiff({ width: 2, height: 2, chunks: [[1, 2, 3, 4]] });
  await refuses(jpeg.subarray(0, jpeg.length - 40), "corrupt", "premature end");
  await refuses(jpeg.subarray(0, 300), "corrupt", "Cannot decode the");
  await refuses(png.subarray(0, png.length - 25), "corrupt", "it is cut off");
  await refuses(tiff.subarray(0, tiff.length - 2), "corrupt", "it is cut off");
  await refuses(new Uint8Array(), "corrupt", "empty");
});

test("a JPEG that lacks nothing but its end marker is decoded", async () => {
  const jpeg = await encodeJpeg(quarters(), { quality: 95 });
  assertEquals(corners(await decodeImage(jpeg.subarray(0, jpeg.length - 2))), "rgbw");
});

test("a JPEG that is cut off is refused, whatever libjpeg has warned of before", async () => {
  const noise = Uint8Array.from({ length: 96 * 80 * 4 }, (_, i) => i % 4 === 3 ? 255 : i * i >> 5);
  for (const progressive of [false, true]) {
    const jpeg = await encodeJpeg({ width: 96, height: 80, data: noise }, { progressive });
    const jfif = 2 + 2 + 16;
    const files = {
      "as written": jpeg,
      "a stray byte between two segments": join(jpeg.subarray(0, jfif), 0x11, jpeg.subarray(jfif)),
      "JFIF of version 2": Object.assign(new Uint8Array(jpeg), { 11: 2 }),
    };
    const whole = await decodeImage(jpeg);
    for (const [name, file] of Object.entries(files)) {
      const label = `${name}, ${progressive ? "progressive" : "baseline"}`;
      assertEquals(await decodeImage(file), whole, label);
      assertEquals(await decodeImage(file.subarray(0, file.length - 2)), whole, `${label}, no end marker`);
      assertEquals(await decodeImage(file.subarray(0, file.length - 1)), whole, `${label}, half of one`);
      assertEquals(await decodeImage(join(file, "more", jpeg)), whole, `${label}, more behind it`);
      for (const part of [0.25, 0.42, 0.7, 0.95]) {
        const length = Math.round(file.length * part);
        await refuses(file.subarray(0, length), "corrupt", "Cannot decode the JPEG: it is cut off");
        await refuses(join(file.subarray(0, length), 0xff, 0xd9), "corrupt", "it is cut off");
      }
    }
  }
});

test("every cut through a JPEG's pixels is refused, also one between two scans", async () => {
  for (const progressive of [false, true]) {
    const jpeg = await encodeJpeg(quarters(), { progressive });
    const scan = jpeg.findIndex((byte, i) => byte === 0xff && jpeg[i + 1] === 0xda);
    for (let length = scan + 20; length < jpeg.length - 2; length++) {
      await refuses(jpeg.subarray(0, length), "corrupt", "Cannot decode the JPEG: it is cut off");
    }
  }
});

test("reasons are sentences and no decoder's error numbers", async () => {
  const jpeg = await encodeJpeg(quarters(), { progressive: false });
  const scan = jpeg.findIndex((byte, i) => byte === 0xff && jpeg[i + 1] === 0xda) + 14;
  await refuses(
    jpeg.fill(0x55, scan, scan + 20),
    "corrupt",
    "Cannot decode the JPEG: its pixel data is damaged",
  );
  const png = encodePng({ width: 8, height: 8, colorType: 0, rows: Array(8).fill(Array(8).fill(7)) });
  const damaged = Object.assign(new Uint8Array(png), { 50: png[50]! ^ 1 });
  await refuses(damaged, "corrupt", "Cannot decode the PNG: its data is damaged or cut off");
  const cmyk = encodeFlatJpeg({ columns: 1, rows: 1, blocks: [[9, 9, 9, 9]] });
  await refuses(
    cmyk.subarray(0, cmyk.length - 4),
    "corrupt",
    "Cannot decode the JPEG: its data is damaged or cut off",
  );
});

test("an animated PNG shows its still image, not a frame of the animation", async () => {
  const number = (value: number) => Uint8Array.of(0, 0, 0, value);
  const frame = (sequence: number) =>
    pngChunk("fcTL", join(number(sequence), number(2), number(1), number(0), number(0), 0, 1, 0, 10, 0, 0));
  const rows = (value: number) => deflateSync(Uint8Array.of(0, value, value));
  const still = encodePng({ width: 2, height: 1, colorType: 0, rows: [[7, 9]] });
  const end = still.length - 12;
  for (const first of [frame(0), new Uint8Array()]) { // with its control the still image is the first frame
    const sequence = first.length > 0 ? 1 : 0;
    const animated = join(
      still.subarray(0, 33),
      pngChunk("acTL", join(number(1 + sequence), number(0))),
      first,
      still.subarray(33, end),
      frame(sequence),
      pngChunk("fdAT", join(number(sequence + 1), rows(200))),
      still.subarray(end),
    );
    assertEquals(rgb(await decodeImage(animated)), [[7, 7, 7], [9, 9, 9]]);
  }
});

test("damage in the middle of a file never does worse than an ImageError, and the next file decodes", async () => {
  const tiff = encodeTiff({ width: 8, height: 8, chunks: [Array(64).fill(9)] });
  const palette = Array(12).fill(1);
  const gif = encodeGif({
    width: 4,
    height: 1,
    palette,
    frames: [gifFrame({ width: 4, height: 1, indices: [0, 1, 2, 3] })],
  });
  const png = encodePng({ width: 8, height: 8, colorType: 0, rows: Array(8).fill(Array(8).fill(7)) });
  const files = [
    await encodeJpeg(quarters()),
    await encodeJpeg(quarters(), { progressive: false }),
    tiff,
    gif,
    png,
  ];
  for (const file of files) {
    for (let trial = 0; trial < 200; trial++) {
      const damaged = new Uint8Array(file);
      for (let hit = 0; hit < 3; hit++) {
        damaged[(trial * 7919 + hit * 104729 + 3) % file.length] = (trial * 31 + hit * 17) & 255;
      }
      await decodeImage(damaged).catch((error) => assert(error instanceof ImageError, String(error)));
    }
    await decodeImage(file);
  }
});

test("more than 100 megapixels are refused by header, whatever the format", async () => {
  const small = await encodeJpeg(quarters());
  await refuses(
    withJpegSize(small, 65535, 65535),
    "too-large",
    "65535x65535 pixels, expected at most 100 million",
  );
  await refuses(
    encodePng({ width: 2 ** 31 - 1, height: 2 ** 31 - 1, colorType: 0, rows: [[0]] }),
    "too-large",
    "2147483647x",
  );
  const frames = [gifFrame({ width: 1, height: 1, indices: [0] })];
  await refuses(
    encodeGif({ width: 65535, height: 65535, palette: Array(12).fill(0), frames }),
    "too-large",
    "65535x65535",
  );
  await refuses(tiffDirectory([[256, 100000], [257, 1001]], true), "too-large", "100000x1001");
  assertEquals(checkImage(withJpegSize(small, 10000, 10000)).width, 10000);
});

test("a JPEG of more than 100 scans is refused by header, and a huge one of more than 25", async () => {
  assertEquals((await decodeImage(encodeScans({ side: 16, refinements: 99 }))).width, 16);
  await refuses(
    encodeScans({ side: 16, refinements: 100 }),
    "too-large",
    "in 101 scans, expected at most 100",
  );
  const bomb = encodeScans({ side: 4000, refinements: 2000 });
  assert(bomb.length < 160_000);
  await refuses(bomb, "too-large", "4000x4000 pixels in 2001 scans, expected at most 100");
  const huge = encodeScans({ side: 10_000, refinements: 25 });
  assertThrows(() => checkImage(huge), ImageError, "in 26 scans, expected at most 25");
  assertEquals(checkImage(encodeScans({ side: 10_000, refinements: 24 })).scans, 25);
});

test("a header that promises more pixels than the file holds is corrupt", async () => {
  await refuses(withJpegSize(await encodeJpeg(quarters()), 2000, 2000), "corrupt", "Cannot decode the JPEG");
  await refuses(
    encodePng({ width: 500, height: 500, colorType: 0, rows: [[0]] }),
    "corrupt",
    "Cannot decode the PNG",
  );
});
