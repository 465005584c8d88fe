// deno-lint-ignore-file no-control-regex -- first bytes of files are no text
/** Which files are photos to the server: its decoders' formats, by the first bytes as they tell them, so that no other is uploaded. */

/** Every format, and a pattern of how its files begin; a test holds this list to the decoders'. */
export const FORMATS = [
  { name: "JPEG", type: "image/jpeg", begins: /^\xff\xd8\xff/ },
  { name: "PNG", type: "image/png", begins: /^\x89PNG\r\n\x1a\n/ },
  { name: "GIF", type: "image/gif", begins: /^GIF8/ },
  { name: "TIFF", type: "image/tiff", begins: /^(II[*+]\0|MM\0[*+])/ },
  { name: "WebP", type: "image/webp", begins: /^RIFF.{4}WEBP/s },
  { name: "BMP", type: "image/bmp", begins: /^BM.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0/s },
  { name: "AVIF", type: "image/avif", begins: /^\0\0.{2}ftyp(.{4}){0,16}?avi[fs]/s },
  { name: "HEIC", type: "image/heic", begins: /^\0\0.{2}ftyp(.{4}){0,16}?(hei[cxms]|hev[cx]|mif1|msf1)/s },
];

/** Their names in a sentence. */
export const NAMES = new Intl.ListFormat("en-GB", { type: "disjunction" }).format(
  FORMATS.map(({ name }) => name),
);

/** What others are called that people take for photos, by a pattern of their first bytes. */
const OTHERS = [
  ["a JPEG XL photo", /^(\xff\x0a|\0\0\0\x0cJXL )/],
  ["a JPEG 2000 picture", /^(\0\0\0\x0cjP {2}\r\n|\xffO\xffQ)/],
  ["an SVG drawing", /<svg[\s>]/i],
  ["a PDF", /^%PDF/],
  ["a video", /^.{4}ftyp/s],
];

/** The sentence that answers a file no decoder of the server takes; undefined for one that may be sent. */
export async function refusalOf(file) {
  const bytes = new Uint8Array(await file.slice(0, 512).arrayBuffer());
  const start = String.fromCharCode(...bytes);
  if (FORMATS.some(({ begins }) => begins.test(start))) return undefined;
  const name = file.name || "The file", kind = OTHERS.find(([, pattern]) => pattern.test(start))?.[0];
  const is = bytes.length === 0 ? "is empty" : kind ? `is ${kind}` : "is no photo that can be read";
  return `${name} ${is}: the server takes ${NAMES}${kind ? ", so save or export it as one of these" : ""}.`;
}
