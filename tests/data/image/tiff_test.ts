import { assert, assertEquals, assertRejects } from "@std/assert";
import { deflateSync, zstdCompressSync } from "node:zlib";
import { ImageError, type ImageErrorCode } from "../../../data/image/image.ts";
import { decodeTiff } from "../../../data/image/tiff.ts";
import { testNeeding } from "../../permissions.ts";
import { encodeJpeg, encodeTiff, packLzw } from "../encoders.ts";

const RGB = { 262: [2], 277: [3], 258: [8, 8, 8] };

async function pixels(bytes: Uint8Array): Promise<number[][]> {
  const { width, height, data } = await decodeTiff(bytes);
  return Array.from({ length: width * height }, (_, i) => [...data.subarray(i * 4, i * 4 + 4)]);
}

const greys = async (bytes: Uint8Array) =>
  (await pixels(bytes)).map(([r, g, b, a]) => (assertEquals([g, b, a], [r, r, 255]), r));

async function refuses(bytes: Uint8Array, code: ImageErrorCode, message: string) {
  const error = await assertRejects(() => decodeTiff(bytes), ImageError, message) as ImageError;
  assertEquals(error.code, code);
}

Deno.test("grey and colour decode in both byte orders, 8 and 16 bits", async () => {
  for (const little of [true, false]) {
    assertEquals(await greys(encodeTiff({ width: 2, height: 2, chunks: [[1, 2, 3, 4]], little })), [
      1,
      2,
      3,
      4,
    ]);
    const colour = encodeTiff({ width: 2, height: 1, chunks: [[1, 2, 3, 4, 5, 6]], little, tags: RGB });
    assertEquals(await pixels(colour), [[1, 2, 3, 255], [4, 5, 6, 255]]);
    const deep = little ? [0, 0, 0xff, 0xff, 0x80, 0x80] : [0, 0, 0xff, 0xff, 0x80, 0x80];
    assertEquals(
      await greys(encodeTiff({ width: 3, height: 1, chunks: [deep], little, tags: { 258: [16] } })),
      [
        0,
        255,
        128,
      ],
    );
    const low = little ? [0, 0x40] : [0x40, 0];
    assertEquals(
      await greys(encodeTiff({ width: 1, height: 1, chunks: [low], little, tags: { 258: [16] } })),
      [
        64,
      ],
    );
  }
});

Deno.test("1, 2 and 4 bits decode, rows beginning at whole bytes, and white may be zero", async () => {
  const file = (bits: number, rows: number[], tags = {}) =>
    encodeTiff({ width: 3, height: 2, chunks: [rows], tags: { 258: [bits], ...tags } });
  assertEquals(await greys(file(1, [0b10100000, 0b01000000])), [255, 0, 255, 0, 255, 0]);
  assertEquals(await greys(file(2, [0b00011000, 0b11000000])), [0, 85, 170, 255, 0, 0]);
  assertEquals(await greys(file(4, [0x0f, 0x70, 0x10, 0x20])), [0, 255, 119, 17, 0, 34]);
  assertEquals(await greys(file(1, [0b10100000, 0b01000000], { 262: [0] })), [0, 255, 0, 255, 0, 255]);
});

Deno.test("palettes, CMYK and alpha become RGBA", async () => {
  const map = [0, 65535, 0, 0, 0, 0, 65535, 0, 257, 0, 0, 65535];
  const palette = encodeTiff({
    width: 4,
    height: 1,
    chunks: [[0b00011011]],
    tags: { 258: [2], 262: [3], 320: map },
  });
  assertEquals(await pixels(palette), [[0, 0, 1, 255], [255, 0, 0, 255], [0, 255, 0, 255], [0, 0, 255, 255]]);
  const low = encodeTiff({
    width: 2,
    height: 1,
    chunks: [[0b01000000]],
    tags: { 258: [1], 262: [3], 320: [1, 200, 2, 3, 4, 5] },
  });
  assertEquals(await pixels(low), [[1, 2, 4, 255], [200, 3, 5, 255]]); // 8-bit values
  const cmyk = encodeTiff({
    width: 2,
    height: 1,
    chunks: [[255, 0, 0, 0, 0, 0, 0, 128]],
    tags: { 262: [5], 277: [4] },
  });
  assertEquals(await pixels(cmyk), [[0, 255, 255, 255], [127, 127, 127, 255]]);
  const alpha = encodeTiff({
    width: 1,
    height: 1,
    chunks: [[1, 2, 3, 40]],
    tags: { ...RGB, 277: [4], 338: [2] },
  });
  assertEquals(await pixels(alpha), [[1, 2, 3, 40]]);
  const premultiplied = encodeTiff({
    width: 3,
    height: 1,
    chunks: [[50, 100, 0, 128, 0, 0, 0, 0, 9, 9, 9, 255]],
    tags: { ...RGB, 277: [4], 338: [1] },
  });
  const onWhite = [[177, 227, 127, 255], [255, 255, 255, 255], [9, 9, 9, 255]];
  assertEquals(await pixels(premultiplied), onWhite); // each colour and what of white shows through
  const untagged = (alpha: number) =>
    encodeTiff({ width: 1, height: 1, chunks: [[1, 2, 3, alpha]], tags: { ...RGB, 277: [4] } });
  assertEquals(await pixels(untagged(40)), [[1, 2, 3, 40]]);
  assertEquals(await pixels(untagged(0)), [[1, 2, 3, 255]]); // no photo is all see-through
  const unknown = encodeTiff({
    width: 1,
    height: 1,
    chunks: [[1, 2, 3, 40]],
    tags: { ...RGB, 277: [4], 338: [0] },
  });
  assertEquals(await pixels(unknown), [[1, 2, 3, 255]]);
});

Deno.test("strips and tiles of any size put every pixel in its place", async () => {
  const width = 37, height = 21;
  const value = (x: number, y: number) => (x * 7 + y * 11) % 251;
  const expected = Array.from({ length: width * height }, (_, i) => value(i % width, Math.floor(i / width)));
  for (const rows of [1, 4, 21]) {
    const chunks: number[][] = [];
    for (let y = 0; y < height; y += rows) chunks.push(expected.slice(y * width, (y + rows) * width));
    assertEquals(await greys(encodeTiff({ width, height, chunks, tags: { 278: [rows] } })), expected);
  }
  for (const [tw, th] of [[16, 16], [16, 32], [48, 32]] as const) {
    const chunks: number[][] = [];
    for (let top = 0; top < height; top += th) {
      for (let left = 0; left < width; left += tw) {
        chunks.push(
          Array.from({ length: tw * th }, (_, i) => value(left + i % tw, top + Math.floor(i / tw))),
        );
      }
    }
    assertEquals(await greys(encodeTiff({ width, height, chunks, tile: [tw, th] })), expected);
  }
});

Deno.test("every compression unpacks to the same picture", async () => {
  const width = 100, height = 90;
  // Runs, repeats and noise: enough for LZW to grow to 12 bits and start over.
  const plain = Uint8Array.from(
    { length: width * height * 3 },
    (_, i) => i % 50 < 20 ? 7 : (i * i >> 3) * 31 & 255,
  );
  const expected = await pixels(encodeTiff({ width, height, chunks: [plain], tags: RGB }));
  const packBits: number[] = [];
  for (let i = 0; i < plain.length;) {
    const run = plain.subarray(i, i + 128).findIndex((v) => v !== plain[i]);
    const length = run < 0 ? Math.min(128, plain.length - i) : run;
    if (length > 1) packBits.push(257 - length, plain[i]!);
    else packBits.push(0, plain[i]!);
    i += length;
  }
  const packed: [number, Uint8Array | number[]][] = [
    [5, packLzw(plain)],
    [8, deflateSync(plain)],
    [32946, deflateSync(plain)],
    [50000, zstdCompressSync(plain)],
    [32773, packBits],
  ];
  for (const [compression, chunk] of packed) {
    const file = encodeTiff({ width, height, chunks: [chunk], tags: { ...RGB, 259: [compression] } });
    assertEquals(await pixels(file), expected, `compression ${compression}`);
  }
});

Deno.test("differences between neighbours are added up, with 8 and 16 bits", async () => {
  const tags = { ...RGB, 259: [8], 317: [2] };
  const bytes = Uint8Array.of(10, 20, 30, 1, 2, 3, 250, 0, 255);
  const file = encodeTiff({ width: 3, height: 1, chunks: [deflateSync(bytes)], tags });
  const rgb = async (file: Uint8Array) => (await pixels(file)).map((p) => p.slice(0, 3));
  assertEquals(await rgb(file), [[10, 20, 30], [11, 22, 33], [5, 22, 32]]);
  const deep = encodeTiff({
    width: 2,
    height: 1,
    chunks: [deflateSync(Uint8Array.of(0x40, 0, 0xbf, 0xff))],
    little: false,
    tags: { 258: [16], 259: [8], 317: [2] },
  });
  assertEquals(await greys(deep), [64, 255]);
  const plain = encodeTiff({ width: 3, height: 1, chunks: [bytes], tags: { ...tags, 259: [1] } });
  assertEquals(await rgb(plain), [[10, 20, 30], [1, 2, 3], [250, 0, 255]]); // without packing the tag means nothing
});

Deno.test("a file that ends early, or whose strips lie outside of it, is corrupt", async () => {
  const file = encodeTiff({ width: 4, height: 4, chunks: [Array(16).fill(1)] });
  await refuses(file.subarray(0, file.length - 1), "corrupt", "cut off");
  await refuses(
    encodeTiff({ width: 4, height: 4, chunks: [Array(15).fill(1)] }),
    "corrupt",
    "15 bytes, expected 16",
  );
  await refuses(
    encodeTiff({ width: 4, height: 4, chunks: [[1]], tags: { 278: [1] } }),
    "corrupt",
    "1 strips or tiles, expected 4",
  );
  await refuses(
    encodeTiff({ width: 4, height: 4, chunks: [[1]], tags: { 273: [2 ** 31] } }),
    "corrupt",
    "cut off",
  );
  const lzw = packLzw(new Uint8Array(1000));
  await refuses(
    encodeTiff({ width: 40, height: 25, chunks: [lzw.subarray(0, 20)], tags: { 259: [5] } }),
    "corrupt",
    "expected 1000",
  );
  await refuses(
    encodeTiff({ width: 4, height: 4, chunks: [[0x80, 0x7f, 0xff]], tags: { 259: [5] } }),
    "corrupt",
    "LZW data makes no sense",
  );
  await refuses(
    encodeTiff({ width: 4, height: 4, chunks: [[1, 2, 3]], tags: { 259: [8] } }),
    "corrupt",
    "Cannot decode the TIFF",
  );
});

Deno.test("data that would unfold beyond the picture is not unfolded", async () => {
  const bomb = deflateSync(new Uint8Array(50_000_000));
  await refuses(
    encodeTiff({ width: 4, height: 4, chunks: [bomb], tags: { 259: [8] } }),
    "corrupt",
    "larger than 16 bytes",
  );
  await refuses(
    encodeTiff({
      width: 4,
      height: 4,
      chunks: [zstdCompressSync(new Uint8Array(50_000_000))],
      tags: { 259: [50000] },
    }),
    "corrupt",
    "larger than 16 bytes",
  );
  const lzw = encodeTiff({
    width: 4,
    height: 4,
    chunks: [packLzw(new Uint8Array(100_000))],
    tags: { 259: [5] },
  });
  assertEquals(await greys(lzw), Array(16).fill(0));
});

Deno.test("layouts that are not supported or make no sense are refused by name", async () => {
  const file = (tags: Record<number, number[]>) =>
    encodeTiff({ width: 2, height: 2, chunks: [[1, 2, 3, 4]], tags });
  await refuses(file({ 259: [4] }), "unsupported", "its compression 4 (CCITT fax group 4)");
  await refuses(file({ 262: [8], 277: [3] }), "unsupported", "photometric interpretation 8 (CIE L*a*b*)");
  await refuses(file({ 258: [40] }), "unsupported", "40 bits per sample");
  await refuses(file({ 258: [8, 16, 8], 262: [2], 277: [3] }), "unsupported", "8, 16, 8 bits per sample");
  await refuses(file({ 339: [3] }), "unsupported", "8 bits per sample of floating point");
  await refuses(file({ 339: [2] }), "unsupported", "its sample format 2");
  await refuses(file({ 259: [5], 317: [3] }), "unsupported", "its predictor 3");
  await refuses(file({ ...RGB, 284: [2] }), "corrupt", "1 strips or tiles, expected 3");
  await refuses(file({ 262: [2], 277: [1] }), "corrupt", "1 samples per pixel, expected 3 to 8");
  await refuses(file({ 277: [60000] }), "corrupt", "60000 samples per pixel");
  await refuses(file({ 262: [3], 320: [1, 2, 3] }), "corrupt", "palette is incomplete");
  await refuses(file({ 278: [0] }), "corrupt", "strips have 2x0 pixels");
  await refuses(
    encodeTiff({ width: 2, height: 2, chunks: [[1]], tile: [60000, 60000] }),
    "corrupt",
    "60000x60000 pixels",
  );
});

Deno.test("samples of any depth decode, whole and floating", async () => {
  const file = (bits: number, chunk: number[], tags = {}, little = true) =>
    encodeTiff({ width: 2, height: 1, chunks: [chunk], little, tags: { 258: [bits], ...tags } });
  const bytes = (values: ArrayBufferView) => [...new Uint8Array(values.buffer)];
  assertEquals(await greys(file(10, [0xff, 0xe0, 0x00])), [255, Math.round(512 * 255 / 1023)]);
  assertEquals(await greys(file(12, [0xff, 0xf8, 0x00])), [255, 128]);
  assertEquals(await greys(file(24, [0, 0, 0x40, 0xff, 0xff, 0xff])), [64, 255]);
  assertEquals(await greys(file(24, [0x40, 0, 0, 0xff, 0xff, 0xff], {}, false)), [64, 255]);
  assertEquals(await greys(file(32, bytes(Uint32Array.of(2 ** 32 - 1, 2 ** 30)))), [255, 64]);
  assertEquals(await greys(file(32, bytes(Float32Array.of(1, 0.25)), { 339: [3] })), [255, 64]);
  assertEquals(await greys(file(64, bytes(Float64Array.of(0, 0.5)), { 339: [3] })), [0, 128]);
  const high = file(32, bytes(Float32Array.of(0.5, 200)), { 339: [3] });
  await refuses(high, "unsupported", "it holds the sample 200, expected 0 to 1");
  const rgb = file(4, [0xf0, 0x0f, 0x0f], { ...RGB, 258: [4, 4, 4] });
  assertEquals(await pixels(rgb), [[255, 0, 0, 255], [255, 0, 255, 255]]);
});

Deno.test("floating point that was split into bytes and differences is joined again", async () => {
  const values = [0.25, 1, 0.5, 0];
  const view = new DataView(new ArrayBuffer(4));
  const bytes = values.map((value) => (view.setFloat32(0, value), [0, 1, 2, 3].map((k) => view.getUint8(k))));
  const planes = [0, 1, 2, 3].flatMap((k) => bytes.map((b) => b[k]!));
  const packed = deflateSync(Uint8Array.from(planes.map((byte, i) => byte - (planes[i - 1] ?? 0))));
  for (const little of [true, false]) {
    const tags = { 258: [32], 259: [8], 317: [3], 339: [3] };
    assertEquals(await greys(encodeTiff({ width: 4, height: 1, chunks: [packed], little, tags })), [
      64,
      255,
      128,
      0,
    ]);
  }
});

Deno.test("planes, tiles that are listed as strips, reversed bits and missing tags make no difference", async () => {
  const chunks = [[1, 2, 3, 4], [11, 12, 13, 14], [21, 22, 23, 24]];
  const expected = [[1, 11, 21, 255], [2, 12, 22, 255], [3, 13, 23, 255], [4, 14, 24, 255]];
  const planes = encodeTiff({ width: 2, height: 2, chunks, tags: { ...RGB, 278: [2], 284: [2] } });
  assertEquals(await pixels(planes), expected);
  const rows = chunks.flatMap((plane) => [plane.slice(0, 2), plane.slice(2)]);
  const stripped = encodeTiff({ width: 2, height: 2, chunks: rows, tags: { ...RGB, 278: [1], 284: [2] } });
  assertEquals(await pixels(stripped), expected);
  const tile = Array.from({ length: 256 }, (_, i) => i);
  const tiles = encodeTiff({ width: 2, height: 1, chunks: [tile], tags: { 278: [], 322: [16], 323: [16] } });
  assertEquals(await greys(tiles), [0, 1]);
  const reversed = encodeTiff({ width: 3, height: 1, chunks: [[0x80, 0x40, 0xc0]], tags: { 266: [2] } });
  assertEquals(await greys(reversed), [1, 2, 3]);
  const rgb = { width: 1, height: 1, chunks: [[1, 2, 3]] };
  assertEquals(await pixels(encodeTiff({ ...rgb, tags: { ...RGB, 262: [] } })), [[1, 2, 3, 255]]);
  assertEquals(await pixels(encodeTiff({ ...rgb, tags: { ...RGB, 279: [] } })), [[1, 2, 3, 255]]);
});

Deno.test("a BigTIFF decodes, and LZW as it was before TIFF 6", async () => {
  for (const little of [true, false]) {
    const big = encodeTiff({ width: 2, height: 2, chunks: [[1, 2], [3, 4]], big: true, little });
    assertEquals(await greys(big), [1, 2, 3, 4]);
  }
  // 256, 7, 258, 9, 257 of 9 bits each, the lowest first.
  const bits = [256, 7, 258, 9, 257].map((code) => [...code.toString(2).padStart(9, "0")].reverse().join(""))
    .join("");
  const bytes = bits.match(/.{1,8}/g)!.map((byte) =>
    parseInt([...byte.padEnd(8, "0")].reverse().join(""), 2)
  );
  const old = encodeTiff({ width: 4, height: 1, chunks: [bytes], tags: { 259: [5] } });
  assertEquals(await greys(old), [7, 7, 7, 9]);
});

Deno.test("YCbCr becomes RGB, with colours that several pixels share and black that is not 0", async () => {
  const tags = { 262: [6], 277: [3], 258: [8, 8, 8] };
  const red = [76, 85, 255], blue = [29, 255, 107];
  const near = (pixel: number[], expected: number[]) =>
    pixel.forEach((value, c) => assert(Math.abs(value - [...expected, 255][c]!) <= 2, `${pixel}`));
  const single = await pixels(encodeTiff({
    width: 2,
    height: 1,
    chunks: [[...red, ...blue]],
    tags: { ...tags, 530: [1, 1] },
  }));
  near(single[0]!, [255, 0, 0]);
  near(single[1]!, [0, 0, 255]);
  // 3x3 pixels in units of 2x2: the last ones reach beyond the picture.
  const units = [[10, 20, 40, 50], [30, 0, 60, 0], [70, 80, 0, 0], [90, 0, 0, 0]].flatMap((
    y,
  ) => [...y, 128, 128]);
  assertEquals(await greys(encodeTiff({ width: 3, height: 3, chunks: [units], tags })), [
    ...[10, 20, 30],
    ...[40, 50, 60],
    ...[70, 80, 90],
  ]);
  const video = { ...tags, 530: [1, 1], 532: [16, 235, 128, 240, 128, 240] };
  assertEquals(
    await greys(encodeTiff({ width: 2, height: 1, chunks: [[16, 128, 128, 235, 128, 128]], tags: video })),
    [
      0,
      255,
    ],
  );
});

testNeeding("all")(
  "strips and tiles that are JPEGs decode, with shared tables, as YCbCr or as RGB",
  async () => {
    const data = Uint8Array.from({ length: 16 * 16 * 4 }, (_, i) => [200, 60, 20, 255][i % 4]!);
    const jpeg = await encodeJpeg({ width: 16, height: 16, data }, { quality: 95, progressive: false });
    const near = async (file: Uint8Array, expected: number[]) => {
      const all = await pixels(file);
      for (const pixel of all) {
        pixel.forEach((value, c) => assert(Math.abs(value - expected[c]!) <= 4, `${pixel}`));
      }
      return all.length;
    };
    // Its segments between start and scan: what is a table may lie in the directory.
    const tables: number[] = [0xff, 0xd8], rest: number[] = [0xff, 0xd8];
    let at = 2;
    for (; jpeg[at + 1] !== 0xda; at += 2 + (jpeg[at + 2]! << 8 | jpeg[at + 3]!)) {
      const segment = jpeg.subarray(at, at + 2 + (jpeg[at + 2]! << 8 | jpeg[at + 3]!));
      if (jpeg[at + 1] === 0xe0) continue; // JFIF
      (jpeg[at + 1] === 0xc0 ? rest : tables).push(...segment);
    }
    const bare = [...rest, ...jpeg.subarray(at)], shared = [...tables, 0xff, 0xd9];
    const yCbCr = { ...RGB, 259: [7], 262: [6], 347: shared };
    const colour = [200, 60, 20, 255];
    assertEquals(await near(encodeTiff({ width: 16, height: 16, chunks: [bare], tags: yCbCr }), colour), 256);
    const tile = [16, 16] as const;
    const tiled = encodeTiff({ width: 20, height: 10, chunks: [bare, bare], tile, tags: yCbCr });
    assertEquals(await near(tiled, colour), 200);
    // The three numbers of YCbCr as they are, where the directory says RGB.
    const [r, g, b] = colour as [number, number, number];
    const y = 0.299 * r + 0.587 * g + 0.114 * b;
    const stored = [y, 128 + (b - y) / 1.772, 128 + (r - y) / 1.402, 255];
    const rgb = encodeTiff({ width: 16, height: 16, chunks: [bare], tags: { ...yCbCr, 262: [2] } });
    assertEquals(await near(rgb, stored), 256);
    await refuses(
      encodeTiff({ width: 17, height: 16, chunks: [bare], tags: yCbCr }),
      "corrupt",
      "a strip or tile is a JPEG of 16x16 pixels and 3 components, expected 17x16 and 3",
    );
    const cut = encodeTiff({ width: 16, height: 16, chunks: [bare.slice(0, -4)], tags: yCbCr });
    await refuses(cut, "corrupt", "Cannot decode the JPEG: it is cut off");
    await refuses(
      encodeTiff({ width: 16, height: 16, chunks: [bare], tags: { ...yCbCr, 277: [4] } }),
      "unsupported",
      "its JPEG of 4 samples per pixel",
    );
  },
);

Deno.test("random damage does no worse than an ImageError", async () => {
  const file = encodeTiff({
    width: 8,
    height: 8,
    chunks: [packLzw(new Uint8Array(64).fill(9))],
    tags: { 259: [5] },
  });
  for (let trial = 0; trial < 2000; trial++) {
    const damaged = new Uint8Array(file);
    for (let hit = 0; hit < 2; hit++) {
      damaged[(trial * 7919 + hit * 104729 + 4) % file.length] = trial * 31 + hit * 17;
    }
    try {
      const { width, height } = await decodeTiff(damaged);
      assert(width * height < 1e8);
    } catch (error) {
      assert(error instanceof ImageError || error instanceof RangeError, String(error));
    }
  }
});
