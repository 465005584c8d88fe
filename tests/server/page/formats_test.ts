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

Deno.test("the page's formats are the decoders', by name, type and first bytes", () => {
  assertEquals(
    FORMATS.map(({ name, type }) => ({ name, type })),
    PHOTO_FORMATS.map(({ name, type }) => ({ name, type })),
  );
  assertEquals(NAMES, PHOTO_FORMAT_NAMES);
  for (const { begins } of FORMATS) for (const start of begins) assertEquals(isKnown(start), true, start);
});

Deno.test("the page refuses a file exactly where the decoders know no format, and names what people take for photos", async () => {
  const others = {
    "\0\0\0\x18ftypheic\0\0\0\0mif1":
      /^x\.jpg is a HEIC photo: the server takes JPEG, PNG, GIF or TIFF, so save/,
    "\0\0\0\x18ftypmif1\0\0\0\0heic": /a HEIC photo/,
    "\0\0\0\x18ftypavif": /an AVIF photo/,
    "RIFF1234WEBPVP8 ": /a WebP picture/,
    "BM1234\0\0\0\0": /a BMP picture/,
    "<?xml?><svg >": /an SVG drawing/,
    "%PDF-1.4": /a PDF/,
    "\0\0\0\x18ftypisom": /a video/,
    "hello": /^x\.jpg is no photo that can be read: the server takes JPEG, PNG, GIF or TIFF\.$/,
    "GIF7": /no photo/,
  };
  for (const [start, sentence] of Object.entries(others)) {
    assertMatch((await refusalOf(fileOf(start)))!, sentence);
    assertEquals(isKnown(start), false, start);
  }
  assertMatch((await refusalOf(fileOf("")))!, /^x\.jpg is empty:/);
  for (const { begins } of FORMATS) {
    for (const start of begins) assertEquals(await refusalOf(fileOf(`${start} and more`)), undefined);
  }
});

testNeeding("read")("the page's file input and its text offer these formats and no other", async () => {
  const html = await Deno.readTextFile(new URL("../../../server/page/index.html", import.meta.url));
  const accept = /<input type="file"[^>]* accept="([^"]*)"/.exec(html)![1]!;
  assertEquals(accept.split(","), PHOTO_FORMATS.map(({ type }) => type));
  assertStringIncludes(html, `<span id="formats">${PHOTO_FORMAT_NAMES}</span>`);
});
