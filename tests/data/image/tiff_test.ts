import { assert, assertEquals, assertThrows } from "@std/assert";
import { deflateSync } from "node:zlib";
import { ImageError, type ImageErrorCode } from "../../../data/image/image.ts";
import { decodeTiff } from "../../../data/image/tiff.ts";
import { encodeTiff, packLzw } from "../encoders.ts";

const RGB = { 262: [2], 277: [3], 258: [8, 8, 8] };

function pixels(bytes: Uint8Array): number[][] {
  const { width, height, data } = decodeTiff(bytes);
  return Array.from({ length: width * height }, (_, i) => [...data.subarray(i * 4, i * 4 + 4)]);
}

const greys = (bytes: Uint8Array) =>
  pixels(bytes).map(([r, g, b, a]) => (assertEquals([g, b, a], [r, r, 255]), r));

function refuses(bytes: Uint8Array, code: ImageErrorCode, message: string) {
  const error = assertThrows(() => decodeTiff(bytes), ImageError, message) as ImageError;
  assertEquals(error.code, code);
}

Deno.test("grey and colour decode in both byte orders, 8 and 16 bits", () => {
  for (const little of [true, false]) {
    assertEquals(greys(encodeTiff({ width: 2, height: 2, chunks: [[1, 2, 3, 4]], little })), [1, 2, 3, 4]);
    const colour = encodeTiff({ width: 2, height: 1, chunks: [[1, 2, 3, 4, 5, 6]], little, tags: RGB });
    assertEquals(pixels(colour), [[1, 2, 3, 255], [4, 5, 6, 255]]);
    const deep = little ? [0, 0, 0xff, 0xff, 0x80, 0x80] : [0, 0, 0xff, 0xff, 0x80, 0x80];
    assertEquals(greys(encodeTiff({ width: 3, height: 1, chunks: [deep], little, tags: { 258: [16] } })), [
      0,
      255,
      128,
    ]);
    const low = little ? [0, 0x40] : [0x40, 0];
    assertEquals(greys(encodeTiff({ width: 1, height: 1, chunks: [low], little, tags: { 258: [16] } })), [
      64,
    ]);
  }
});

Deno.test("1, 2 and 4 bits decode, rows beginning at whole bytes, and white may be zero", () => {
  const file = (bits: number, rows: number[], tags = {}) =>
    encodeTiff({ width: 3, height: 2, chunks: [rows], tags: { 258: [bits], ...tags } });
  assertEquals(greys(file(1, [0b10100000, 0b01000000])), [255, 0, 255, 0, 255, 0]);
  assertEquals(greys(file(2, [0b00011000, 0b11000000])), [0, 85, 170, 255, 0, 0]);
  assertEquals(greys(file(4, [0x0f, 0x70, 0x10, 0x20])), [0, 255, 119, 17, 0, 34]);
  assertEquals(greys(file(1, [0b10100000, 0b01000000], { 262: [0] })), [0, 255, 0, 255, 0, 255]);
});

Deno.test("palettes, CMYK and alpha become RGBA", () => {
  const map = [0, 65535, 0, 0, 0, 0, 65535, 0, 257, 0, 0, 65535];
  const palette = encodeTiff({
    width: 4,
    height: 1,
    chunks: [[0b00011011]],
    tags: { 258: [2], 262: [3], 320: map },
  });
  assertEquals(pixels(palette), [[0, 0, 1, 255], [255, 0, 0, 255], [0, 255, 0, 255], [0, 0, 255, 255]]);
  const cmyk = encodeTiff({
    width: 2,
    height: 1,
    chunks: [[255, 0, 0, 0, 0, 0, 0, 128]],
    tags: { 262: [5], 277: [4] },
  });
  assertEquals(pixels(cmyk), [[0, 255, 255, 255], [127, 127, 127, 255]]);
  const alpha = encodeTiff({
    width: 1,
    height: 1,
    chunks: [[1, 2, 3, 40]],
    tags: { ...RGB, 277: [4], 338: [2] },
  });
  assertEquals(pixels(alpha), [[1, 2, 3, 40]]);
  const unknown = encodeTiff({
    width: 1,
    height: 1,
    chunks: [[1, 2, 3, 40]],
    tags: { ...RGB, 277: [4], 338: [0] },
  });
  assertEquals(pixels(unknown), [[1, 2, 3, 255]]);
});

Deno.test("strips and tiles of any size put every pixel in its place", () => {
  const width = 37, height = 21;
  const value = (x: number, y: number) => (x * 7 + y * 11) % 251;
  const expected = Array.from({ length: width * height }, (_, i) => value(i % width, Math.floor(i / width)));
  for (const rows of [1, 4, 21]) {
    const chunks: number[][] = [];
    for (let y = 0; y < height; y += rows) chunks.push(expected.slice(y * width, (y + rows) * width));
    assertEquals(greys(encodeTiff({ width, height, chunks, tags: { 278: [rows] } })), expected);
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
    assertEquals(greys(encodeTiff({ width, height, chunks, tile: [tw, th] })), expected);
  }
});

Deno.test("every compression unpacks to the same picture", () => {
  const width = 100, height = 90;
  // Runs, repeats and noise: enough for LZW to grow to 12 bits and start over.
  const plain = Uint8Array.from(
    { length: width * height * 3 },
    (_, i) => i % 50 < 20 ? 7 : (i * i >> 3) * 31 & 255,
  );
  const expected = pixels(encodeTiff({ width, height, chunks: [plain], tags: RGB }));
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
    [32773, packBits],
  ];
  for (const [compression, chunk] of packed) {
    const file = encodeTiff({ width, height, chunks: [chunk], tags: { ...RGB, 259: [compression] } });
    assertEquals(pixels(file), expected, `compression ${compression}`);
  }
});

Deno.test("differences between neighbours are added up, with 8 and 16 bits", () => {
  const tags = { ...RGB, 317: [2] };
  const file = encodeTiff({ width: 3, height: 1, chunks: [[10, 20, 30, 1, 2, 3, 250, 0, 255]], tags });
  assertEquals(pixels(file).map((p) => p.slice(0, 3)), [[10, 20, 30], [11, 22, 33], [5, 22, 32]]);
  const deep = encodeTiff({
    width: 2,
    height: 1,
    chunks: [[0x40, 0, 0xbf, 0xff]],
    little: false,
    tags: { 258: [16], 317: [2] },
  });
  assertEquals(greys(deep), [64, 255]);
});

Deno.test("a file that ends early, or whose strips lie outside of it, is corrupt", () => {
  const file = encodeTiff({ width: 4, height: 4, chunks: [Array(16).fill(1)] });
  refuses(file.subarray(0, file.length - 1), "corrupt", "cut off");
  refuses(
    encodeTiff({ width: 4, height: 4, chunks: [Array(15).fill(1)] }),
    "corrupt",
    "15 bytes, expected 16",
  );
  refuses(
    encodeTiff({ width: 4, height: 4, chunks: [[1]], tags: { 278: [1] } }),
    "corrupt",
    "1 strips or tiles, expected 4",
  );
  refuses(encodeTiff({ width: 4, height: 4, chunks: [[1]], tags: { 273: [2 ** 31] } }), "corrupt", "cut off");
  const lzw = packLzw(new Uint8Array(1000));
  refuses(
    encodeTiff({ width: 40, height: 25, chunks: [lzw.subarray(0, 20)], tags: { 259: [5] } }),
    "corrupt",
    "expected 1000",
  );
  refuses(
    encodeTiff({ width: 4, height: 4, chunks: [[0x80, 0x7f, 0xff]], tags: { 259: [5] } }),
    "corrupt",
    "LZW data makes no sense",
  );
  refuses(
    encodeTiff({ width: 4, height: 4, chunks: [[1, 2, 3]], tags: { 259: [8] } }),
    "corrupt",
    "Cannot decode the TIFF",
  );
});

Deno.test("data that would unfold beyond the picture is not unfolded", () => {
  const bomb = deflateSync(new Uint8Array(50_000_000));
  refuses(
    encodeTiff({ width: 4, height: 4, chunks: [bomb], tags: { 259: [8] } }),
    "corrupt",
    "larger than 16 bytes",
  );
  const lzw = encodeTiff({
    width: 4,
    height: 4,
    chunks: [packLzw(new Uint8Array(100_000))],
    tags: { 259: [5] },
  });
  assertEquals(greys(lzw), Array(16).fill(0));
});

Deno.test("layouts that are not supported or make no sense are refused by name", () => {
  const file = (tags: Record<number, number[]>) =>
    encodeTiff({ width: 2, height: 2, chunks: [[1, 2, 3, 4]], tags });
  refuses(file({ 259: [7] }), "unsupported", "its compression 7");
  refuses(file({ 262: [6], 277: [3] }), "unsupported", "photometric interpretation 6");
  refuses(file({ 258: [32] }), "unsupported", "32 bits per sample");
  refuses(file({ 258: [8, 16, 8], 262: [2], 277: [3] }), "unsupported", "8, 16, 8 bits per sample");
  refuses(file({ 339: [3] }), "unsupported", "its sample format");
  refuses(file({ ...RGB, 284: [2] }), "unsupported", "its separate planes");
  refuses(file({ 317: [3] }), "unsupported", "its predictor 3");
  refuses(file({ 262: [2], 277: [1] }), "corrupt", "1 samples per pixel, expected 3 to 8");
  refuses(file({ 277: [60000] }), "corrupt", "60000 samples per pixel");
  refuses(file({ 262: [3], 320: [1, 2, 3] }), "corrupt", "palette is incomplete");
  refuses(file({ 278: [0] }), "corrupt", "strips have 2x0 pixels");
  refuses(
    encodeTiff({ width: 2, height: 2, chunks: [[1]], tile: [60000, 60000] }),
    "corrupt",
    "60000x60000 pixels",
  );
});

Deno.test("random damage does no worse than an ImageError", () => {
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
      const { width, height } = decodeTiff(damaged);
      assert(width * height < 1e8);
    } catch (error) {
      assert(error instanceof ImageError || error instanceof RangeError, String(error));
    }
  }
});
