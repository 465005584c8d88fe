import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { PHOTO_FORMAT_NAMES, PHOTO_FORMATS } from "../../../data/image/formats.ts";
import { ImageError } from "../../../data/image/image.ts";
import { readImageHeader } from "../../../data/image/image_header.ts";
import { FORMATS, NAMES, refusalOf } from "../../../server/page/formats.js";
import { testNeeding } from "../../permissions.ts";

const bytesOf = (text: string) => Uint8Array.from(text, (c) => c.charCodeAt(0));
const fileOf = (text: string, name = "x.jpg") => new File([bytesOf(text)], name);

/** Whether the decoders take a file for one of their formats, whatever else is wrong with it. */
function isKnown(start: string): boolean {
  try {
    readImageHeader(bytesOf(start));
  } catch (error) {
    return !(error instanceof ImageError && error.code === "unsupported");
  }
  return true;
}

/** How files of each format may begin. */
const BEGINNINGS: Readonly<Record<string, readonly string[]>> = {
  JPEG: ["\xff\xd8\xff"],
  PNG: ["\x89PNG\r\n\x1a\n"],
  GIF: ["GIF8"],
  TIFF: ["II*\0", "MM\0*", "II+\0", "MM\0+"],
  WebP: ["RIFF1234WEBPVP8 "],
  BMP: [12, 40, 52, 56, 64, 108, 124].map((size) =>
    `BM1234\0\0\0\0\x36\0\0\0${String.fromCharCode(size)}\0\0\0`
  ),
  AVIF: ["\0\0\0\x18ftypavif", "\0\0\0\x1cftypmif1\0\0\0\0mif1avif"],
  HEIC: ["\0\0\0\x18ftypheic\0\0\0\0mif1", "\0\0\0\x18ftypmif1\0\0\0\0heic"],
};

Deno.test("the page's formats are the decoders', by name, type and first bytes", () => {
  assertEquals(
    FORMATS.map(({ name, type }) => ({ name, type })),
    PHOTO_FORMATS.map(({ name, type }) => ({ name, type })),
  );
  assertEquals(NAMES, PHOTO_FORMAT_NAMES);
  assertEquals(Object.keys(BEGINNINGS), FORMATS.map(({ name }) => name));
  for (const start of Object.values(BEGINNINGS).flat()) assertEquals(isKnown(start), true, start);
});

Deno.test("the page refuses a file exactly where the decoders know no format, and names what people take for photos", async () => {
  const others = {
    "\xff\x0a\0":
      /^x\.jpg is a JPEG XL photo: the server takes JPEG, PNG, GIF, TIFF, WebP, BMP, AVIF or HEIC, so save/,
    "\0\0\0\x0cjP  \r\n": /a JPEG 2000 picture/,
    "BM1234\0\0\0\0": /no photo/,
    "RIFF1234WAVE": /no photo/,
    "<?xml?><svg >": /an SVG drawing/,
    "%PDF-1.4": /a PDF/,
    "\0\0\0\x18ftypisom": /a video/,
    "hello":
      /^x\.jpg is no photo that can be read: the server takes JPEG, PNG, GIF, TIFF, WebP, BMP, AVIF or HEIC\.$/,
    "GIF7": /no photo/,
  };
  for (const [start, sentence] of Object.entries(others)) {
    assertMatch((await refusalOf(fileOf(start)))!, sentence);
    assertEquals(isKnown(start), false, start);
  }
  assertMatch((await refusalOf(fileOf("")))!, /^x\.jpg is empty:/);
  for (const start of Object.values(BEGINNINGS).flat()) {
    assertEquals(await refusalOf(fileOf(`${start} and more`)), undefined);
  }
});

testNeeding("read")("the page's file input and its text offer these formats and no other", async () => {
  const html = await Deno.readTextFile(new URL("../../../server/page/index.html", import.meta.url));
  const accept = /<input type="file"[^>]* accept="([^"]*)"/.exec(html)![1]!;
  assertEquals(accept.split(","), PHOTO_FORMATS.map(({ type }) => type));
  assertStringIncludes(html, `<span id="formats">${PHOTO_FORMAT_NAMES}</span>`);
});
