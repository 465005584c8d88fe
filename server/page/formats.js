/** Which files are photos to the server: its decoders' formats, by the first bytes as they tell them, so that no other is uploaded. */

/** Every format, and how its files may begin; a test holds this list to the decoders'. */
export const FORMATS = [
  { name: "JPEG", type: "image/jpeg", begins: ["\xff\xd8\xff"] },
  { name: "PNG", type: "image/png", begins: ["\x89PNG\r\n\x1a\n"] },
  { name: "GIF", type: "image/gif", begins: ["GIF8"] },
  { name: "TIFF", type: "image/tiff", begins: ["II*\0", "MM\0*", "II+\0", "MM\0+"] },
];

/** "JPEG, PNG, GIF or TIFF". */
export const NAMES = new Intl.ListFormat("en-GB", { type: "disjunction" }).format(
  FORMATS.map(({ name }) => name),
);

/** What others are called that people take for photos, by a pattern of their first bytes. */
const OTHERS = [
  ["a HEIC photo", /^.{4}ftyp.{0,48}?(hei[cxms]|hev[cx]|mif1|msf1)/s],
  ["an AVIF photo", /^.{4}ftyp.{0,48}?avi[fs]/s],
  ["a WebP picture", /^RIFF.{4}WEBP/s],
  ["a BMP picture", /^BM.{4}\0{4}/s],
  ["an SVG drawing", /<svg[\s>]/i],
  ["a PDF", /^%PDF/],
  ["a video", /^.{4}ftyp/s],
];

/** The sentence that answers a file no decoder of the server takes; undefined for one that may be sent. */
export async function refusalOf(file) {
  const bytes = new Uint8Array(await file.slice(0, 512).arrayBuffer());
  const start = String.fromCharCode(...bytes);
  if (FORMATS.some(({ begins }) => begins.some((text) => start.startsWith(text)))) return undefined;
  const name = file.name || "The file", kind = OTHERS.find(([, pattern]) => pattern.test(start))?.[0];
  const is = bytes.length === 0 ? "is empty" : kind ? `is ${kind}` : "is no photo that can be read";
  return `${name} ${is}: the server takes ${NAMES}${kind ? ", so save or export it as one of these" : ""}.`;
}
