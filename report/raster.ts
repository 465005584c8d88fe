/**
 * Pictures for reports: SVG drawn as pixels, photos made small, and both as files or data URLs.
 * @module
 */
// Its encoder alone: the package as a whole loads native code.
import png from "imagescript/png/node.js";
import type { DecodedImage } from "../data/image/image.ts";
import { shrink } from "../data/image/pixels.ts";
import { encodeJpeg } from "../data/shapes/shape_drawing.ts";

/** Draws an SVG on white at a scale; texts are in Noto Sans, of which letters without an alphabet's script stay blank. */
export async function drawSvg(svg: string, scale = 2): Promise<{ image: DecodedImage; png: Uint8Array }> {
  const { Resvg, fonts } = await resvg();
  const drawing = new Resvg(svg, {
    background: "white",
    fitTo: { mode: "zoom", value: scale },
    font: { fontBuffers: fonts, defaultFontFamily: "Noto Sans Variable" },
  });
  const rendered = drawing.render();
  const { width, height } = rendered;
  const drawn = { width, height, data: Uint8Array.from(rendered.pixels) };
  const file = rendered.asPng();
  rendered.free();
  drawing.free();
  return { image: drawn, png: file };
}

let loaded: ReturnType<typeof load> | undefined;

/** The renderer and its fonts, when the first picture is drawn. */
function resvg(): ReturnType<typeof load> {
  return loaded ??= load();
}

async function load() {
  const [{ initWasm, Resvg }, { default: code }] = await Promise.all([
    import("@resvg/resvg-wasm"),
    import("@resvg/resvg-wasm/index_bg.wasm", { with: { type: "bytes" } }),
  ]);
  await initWasm(code);
  const bytes = { with: { type: "bytes" } } as const;
  const files = await Promise.all([
    import("@fontsource-variable/noto-sans/files/noto-sans-latin-wght-normal.woff2", bytes),
    import("@fontsource-variable/noto-sans/files/noto-sans-latin-ext-wght-normal.woff2", bytes),
    import("@fontsource-variable/noto-sans/files/noto-sans-cyrillic-wght-normal.woff2", bytes),
    import("@fontsource-variable/noto-sans/files/noto-sans-greek-wght-normal.woff2", bytes),
    import("@fontsource-variable/noto-sans/files/noto-sans-devanagari-wght-normal.woff2", bytes),
    import("@fontsource-variable/noto-sans/files/noto-sans-vietnamese-wght-normal.woff2", bytes),
  ]);
  return { Resvg, fonts: files.map(({ default: font }) => font) };
}

/** Makes a photo as small as that its longer side has so many pixels at most, and the shorter one at least one. */
export function fitted(image: DecodedImage, longer: number): DecodedImage {
  const { width, height } = image;
  return shrink(image, Math.max(1, Math.round(longer * Math.min(width, height) / Math.max(width, height))));
}

/** A picture as a small JPEG in a data URL. */
export async function jpegUrl(image: DecodedImage, quality = 72): Promise<string> {
  return `data:image/jpeg;base64,${(await encodeJpeg(image, { quality })).toBase64()}`;
}

/** A picture without loss, for one of few pixels, in a data URL. */
export async function pngUrl({ width, height, data }: DecodedImage): Promise<string> {
  const bytes: Uint8Array = await png.encode(data, { width, height, channels: 4, depth: 8, level: 6 });
  return `data:image/png;base64,${bytes.toBase64()}`;
}
