import { assertEquals, assertThrows } from "@std/assert";
import { ImageError, type ImageErrorCode } from "../../../data/image/image.ts";
import { readImageHeader } from "../../../data/image/image_header.ts";
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
  withOrientation,
} from "../encoders.ts";
import { testNeeding } from "../../permissions.ts";

const test = testNeeding("all");

const grey = (width: number, height: number) => ({
  width,
  height,
  data: new Uint8Array(width * height * 4).fill(99),
});
const png = (chunks: Uint8Array[] = []) =>
  encodePng({ width: 3, height: 2, colorType: 0, rows: [[1, 2, 3], [4, 5, 6]], chunks });
const gif = encodeGif({
  width: 5,
  height: 4,
  palette: Array(12).fill(7),
  frames: [
    gifFrame({ width: 2, height: 1, indices: [0, 1] }),
    gifFrame({ width: 5, height: 4, indices: Array(20).fill(1) }),
  ],
  transparent: 3,
});

function refuses(bytes: Uint8Array, code: ImageErrorCode, message: string) {
  const error = assertThrows(() => readImageHeader(bytes), ImageError, message) as ImageError;
  assertEquals(error.code, code);
}

test("a JPEG's size and orientation are read, baseline and progressive, in either byte order of EXIF", async () => {
  for (const progressive of [false, true]) {
    const jpeg = await encodeJpeg(grey(33, 17), { progressive });
    const scans = progressive ? 4 : 1;
    const header = { format: "jpeg", width: 33, height: 17, components: 3, scans } as const;
    assertEquals(readImageHeader(jpeg), { ...header, orientation: 1 });
    assertEquals(readImageHeader(withOrientation(jpeg, 6)), { ...header, orientation: 6 });
    assertEquals(readImageHeader(withOrientation(jpeg, 8, false)), { ...header, orientation: 8 });
    assertEquals(readImageHeader(withOrientation(jpeg, 9)).orientation, 1);
    assertEquals(readImageHeader(withOrientation(jpeg, 0)).orientation, 1);
  }
  const cmyk = encodeFlatJpeg({ columns: 1, rows: 2, blocks: [[1, 2, 3, 4], [5, 6, 7, 8]] });
  assertEquals(readImageHeader(cmyk).components, 4);
});

test("the thumbnail inside a JPEG's EXIF does not pass for the photo", async () => {
  const thumbnail = await encodeJpeg(grey(8, 8)), photo = await encodeJpeg(grey(64, 48));
  const exif = join("Exif\0\0", tiffDirectory([[274, 3]], true), thumbnail);
  const length = exif.length + 2;
  const nested = join(0xff, 0xd8, 0xff, 0xe1, length >> 8, length & 255, exif, photo.subarray(2));
  assertEquals(readImageHeader(nested), {
    format: "jpeg",
    width: 64,
    height: 48,
    components: 3,
    orientation: 3,
    scans: 4,
  });
});

test("a JPEG's scans are counted to its end, past stuffed bytes, restarts, filling and markers that hide nothing", () => {
  const scan = join(0xff, 0xda, 0, 8, 1, 1, 0, 0, 63, 0, 0x12, 0xff, 0, 0x34, 0xff, 0xd0, 0x56);
  const jpeg = encodeScans({ side: 16, refinements: 3 });
  const body = jpeg.subarray(0, jpeg.length - 2);
  const scans = (...more: (Uint8Array | number)[]) => readImageHeader(join(body, ...more)).scans;
  assertEquals(scans(), 4); // cut off
  assertEquals(scans(0xff, 0xd9, scan), 4); // what follows the end is not read
  assertEquals(scans(scan, 0xff, 0xff, 0xff, scan), 6);
  assertEquals(scans(0xff, 0xfe, 0, 2 + scan.length, scan, scan), 5); // one in a comment
  // libjpeg looks on after an unknown marker: it must not hide a scan behind a length.
  assertEquals(scans(0xff, 0x02, 0, 2 + scan.length, scan, scan), 6);
});

test("broken EXIF costs the orientation and not the photo", async () => {
  const jpeg = withOrientation(await encodeJpeg(grey(9, 9)), 6);
  jpeg.set([0xff, 0xff, 0xff, 0x7f], 6 + 6 + 4); // the directory lies beyond the segment
  assertEquals(readImageHeader(jpeg).orientation, 1);
});

Deno.test("a PNG's size and eXIf orientation are read", () => {
  assertEquals(readImageHeader(png()), { format: "png", width: 3, height: 2, orientation: 1 });
  const exif = pngChunk("eXIf", tiffDirectory([[274, 5]], false));
  assertEquals(readImageHeader(png([exif])).orientation, 5);
  const still = png();
  const behind = join(still.subarray(0, still.length - 12), exif);
  assertEquals(readImageHeader(behind).orientation, 5);
  assertEquals(readImageHeader(join(behind, still.subarray(-12))).orientation, 5);
  assertEquals(readImageHeader(behind.subarray(0, behind.length - 5)).orientation, 1); // cut off in there
});

Deno.test("a GIF's canvas is read, and grows for a first frame that reaches beyond it", () => {
  assertEquals(readImageHeader(gif), { format: "gif", width: 5, height: 4, orientation: 1 });
  const frames = [gifFrame({ x: 1, width: 2, height: 1, indices: [0, 1] })];
  const beyond = readImageHeader(encodeGif({ width: 2, height: 2, palette: Array(12).fill(0), frames }));
  assertEquals([beyond.width, beyond.height], [3, 2]);
});

Deno.test("a TIFF is read in both byte orders, also with 32-bit sizes", () => {
  for (const little of [true, false]) {
    const tiff = encodeTiff({
      width: 3,
      height: 1,
      chunks: [Array(9).fill(5)],
      little,
      tags: { 274: [8], 277: [3] },
    });
    assertEquals(readImageHeader(tiff), {
      format: "tiff",
      width: 3,
      height: 1,
      components: 3,
      orientation: 8,
    });
    const large = readImageHeader(tiffDirectory([[256, 70000], [257, 80000]], little));
    assertEquals([large.width, large.height], [70000, 80000]);
  }
});

test("every cut through a header is refused as corrupt", async () => {
  const jpeg = withOrientation(await encodeJpeg(grey(8, 8)), 6);
  const frame = jpeg.findIndex((byte, i) => byte === 0xff && jpeg[i + 1] === 0xc2);
  const idat = png().findIndex((_, i, all) => String.fromCharCode(...all.subarray(i, i + 4)) === "IDAT");
  const tiff = encodeTiff({ width: 1, height: 1, chunks: [[1]] });
  const gifPixels = 13 + 12 + 8 + 10; // behind header, palette, transparency and the frame's size
  const cases: [Uint8Array, number, number][] = [
    [jpeg, 3, frame + 10],
    [png(), 8, idat + 4],
    [gif, 6, gifPixels],
    [tiff, 4, 8 + 2 + 12 * 8 + 2],
  ];
  for (const [bytes, from, to] of cases) {
    for (let length = from; length < to; length++) {
      refuses(bytes.slice(0, length), "corrupt", "cut off after");
    }
  }
});

Deno.test("files that are no image, or of an unknown kind, are unsupported; an empty one is corrupt", () => {
  refuses(new Uint8Array(), "corrupt", "it is empty");
  refuses(join("hello world"), "unsupported", "no JPEG, PNG, GIF, TIFF, WebP, BMP, AVIF or HEIC");
  refuses(new Uint8Array(1000), "unsupported", "no JPEG");
});

Deno.test("an image of another format is refused by its name, whatever the file is called", () => {
  const kinds: Record<string, string> = {
    "\0\0\0\x18ftypisom\0\0\0\0": "a video",
    "\0\0\0\x0cjP  \r\n": "a JPEG 2000",
    "\xffO\xffQ\0": "a JPEG 2000",
    "\xff\x0a\0": "a JPEG XL",
    "%PDF-1.7": "a PDF",
    '<?xml version="1.0"?><!-- drawn -->\n<svg xmlns="': "an SVG",
    "\xef\xbb\xbf\n<!DOCTYPE html><svg >Not found": "an HTML page",
  };
  for (const [bytes, name] of Object.entries(kinds)) {
    refuses(
      join(bytes),
      "unsupported",
      `Cannot decode the image: it is ${name}, no JPEG, PNG, GIF, TIFF, WebP`,
    );
  }
});

test("headers that contradict themselves are refused with the reason", async () => {
  const jpeg = await encodeJpeg(grey(8, 8), { progressive: false });
  const frame = jpeg.findIndex((byte, i) => byte === 0xff && jpeg[i + 1] === 0xc0);
  const changed = (at: number, value: number) => Object.assign(new Uint8Array(jpeg), { [at]: value });
  refuses(changed(frame + 1, 0xc9), "unsupported", "its coding SOF9 is not supported");
  refuses(changed(frame + 4, 12), "unsupported", "12 bits per sample");
  refuses(changed(frame + 6, 0), "corrupt", "8x0 pixels");
  refuses(changed(frame + 1, 0xd9), "corrupt", "its pixels come before their size");
  refuses(changed(5, 1), "corrupt", "a segment has the length 1");
  refuses(Object.assign(png(), { 12: 0x58 }), "corrupt", "does not begin with IHDR");
  refuses(tiffDirectory([[256, 4]], true), "corrupt", "does not state its width and height");
  refuses(
    encodeGif({ width: 2, height: 2, palette: Array(12).fill(0), frames: [] }),
    "corrupt",
    "holds no frame",
  );
});
