/**
 * The decoders of JPEG, PNG and WebP: encoded bytes to RGBA pixels as stored. All of them are WebAssembly from npm, compiled once per thread
 * when the first photo of their format comes and read from the package cache, so that nothing is fetched and no native code sees a
 * hostile file. imagescript's modules look at the environment when they are loaded, which needs a permission.
 * @module
 */
import { concat } from "@std/bytes/concat";
import { crc32 } from "node:zlib";
import decodeMozJpeg, { init as initMozJpeg } from "@jsquash/jpeg/decode.js";
import { type DecodedImage, ImageError } from "./image.ts";
import { jpegPixelsEnd, stillPng } from "./image_header.ts";

const CMYK = 2; // imagescript's number for four components

let mozJpeg: Promise<WebAssembly.Module> | undefined;
let memory: WebAssembly.Memory | undefined;
const messages: string[] = [];

/** Above this the decoder's memory is thrown away after a photo: WebAssembly memory never shrinks. */
const KEPT_MEMORY = 64 * 2 ** 20;

let turn: Promise<unknown> = Promise.resolve();

/** Decodes a greyscale or colour JPEG; throws an `ImageError` of code `corrupt` for one that is cut off or damaged. */
export function decodeJpeg(bytes: Uint8Array): Promise<DecodedImage> {
  // One at a time: the instance and its messages are shared.
  const mine = turn.then(() => decodeAlone(bytes));
  turn = mine.catch(() => {});
  return mine;
}

async function decodeAlone(jpeg: Uint8Array): Promise<DecodedImage> {
  // A whole photo may lack its end marker; with one, libjpeg complains only of pixels that are missing.
  const decoded = await runMozJpeg([jpeg, END]);
  return messages.length === 0 ? decoded : decodeAgain(jpeg, crc32(decoded.data));
}

/**
 * Decodes a JPEG of which libjpeg has warned: it prints one warning and keeps the next to itself, which may be that pixels are missing.
 * Bytes are put behind the pixel data. A decoder that has had all leaves them alone; one that lacks some takes them for more, and the
 * picture is not the one it was (`checksum`).
 */
async function decodeAgain(jpeg: Uint8Array, checksum: number): Promise<DecodedImage> {
  const end = jpegPixelsEnd(jpeg);
  const decoded = await runMozJpeg([jpeg.subarray(0, end), new Uint8Array(256).fill(0x5a), END]);
  if (crc32(decoded.data) !== checksum) throw corrupt("JPEG", CUT_OFF);
  return decoded;
}

const END = Uint8Array.of(0xff, 0xd9);
const CUT_OFF = "it is cut off, its pixel data has a premature end";

/** What libjpeg warns of when it makes up pixels; the rest is said of files that are whole. */
const DAMAGE: readonly (readonly [RegExp, string])[] = [
  [/premature end/i, CUT_OFF],
  [/bad Huffman code|instead of RST/, "its pixel data is damaged"],
];

/** Decodes a JPEG; `messages` then holds libjpeg's warning. Throws an `ImageError` for one that says that pixels are made up. */
async function runMozJpeg(parts: Uint8Array[]): Promise<DecodedImage> {
  if (memory === undefined) await startMozJpeg();
  messages.length = 0;
  try {
    const { width, height, data } = await decodeMozJpeg(concat(parts).buffer);
    if (memory!.buffer.byteLength > KEPT_MEMORY) memory = undefined;
    const damage = DAMAGE.find(([warning]) => messages.some((line) => warning.test(line)));
    if (damage !== undefined) throw corrupt("JPEG", damage[1]);
    return { width, height, data: new Uint8Array(data.buffer as ArrayBuffer) };
  } catch (error) {
    if (error instanceof ImageError) throw error;
    memory = undefined; // libjpeg has jumped out and freed nothing
    const reason = messages.at(-1);
    throw corrupt("JPEG", reason === undefined ? "its data is damaged" : `its data is damaged (${reason})`);
  }
}

async function startMozJpeg(): Promise<void> {
  mozJpeg ??= Deno.readFile(new URL(import.meta.resolve("@jsquash/jpeg/codec/dec/mozjpeg_dec.wasm")))
    .then((code) => WebAssembly.compile(code));
  const compiled = await mozJpeg;
  await initMozJpeg({
    printErr: (line: string) => messages.push(line),
    instantiateWasm(imports: WebAssembly.Imports, done: (instance: WebAssembly.Instance) => void) {
      const instance = new WebAssembly.Instance(compiled, imports);
      memory = Object.values(instance.exports).find((value) => value instanceof WebAssembly.Memory);
      done(instance);
      return instance.exports;
    },
  });
}

/** Decodes a CMYK or YCCK JPEG with inverted inks, as Adobe's programs write them; one that lacks its end marker is refused. */
export async function decodeCmykJpeg(bytes: Uint8Array): Promise<DecodedImage> {
  const { default: jpeg } = await import("imagescript/wasm/node/jpeg.js");
  const decoder = await jpeg.init() as { decode(bytes: Uint8Array): ImagescriptFrame & { format: number } };
  const { width, height, buffer, format } = attempt("JPEG", () => decoder.decode(bytes));
  if (format !== CMYK) throw corrupt("JPEG", "its components are not those of its header");
  for (let i = 0; i < buffer.length; i += 4) {
    const light = 255 - buffer[i + 3]!;
    for (let c = i; c < i + 3; c++) buffer[c] = Math.round((255 - buffer[c]!) * light / 255);
    buffer[i + 3] = 255;
  }
  return { width, height, data: buffer };
}

/**
 * Decodes a PNG of any colour type and depth; of an animated one its still image. What is not needed for its pixels is left out: the
 * decoder would take the first frame of an animation for the image, and be stopped by a comment that is damaged.
 */
export async function decodePng(bytes: Uint8Array): Promise<DecodedImage> {
  const { default: png } = await import("imagescript/wasm/node/png.js");
  const decoder = await png.init() as {
    decode(bytes: Uint8Array): { width: number; height: number; framebuffer: Uint8Array<ArrayBuffer> };
  };
  const still = stillPng(bytes);
  const { width, height, framebuffer } = attempt("PNG", () => decoder.decode(still));
  return { width, height, data: framebuffer };
}

let webp: Promise<typeof import("@jsquash/webp/decode.js").default> | undefined;

/** Decodes a WebP of one picture. */
export async function decodeStillWebp(bytes: Uint8Array): Promise<DecodedImage> {
  webp ??= (async () => {
    const { default: decode, init } = await import("@jsquash/webp/decode.js");
    const code = await Deno.readFile(new URL(import.meta.resolve("@jsquash/webp/codec/dec/webp_dec.wasm")));
    await init(await WebAssembly.compile(code));
    return decode;
  })();
  const decode = await webp;
  const { width, height, data } = await decode(bytes.slice().buffer).catch(() => {
    throw corrupt("WebP", "its data is damaged or cut off");
  });
  return { width, height, data: new Uint8Array(data.buffer as ArrayBuffer) };
}

interface ImagescriptFrame {
  readonly width: number;
  readonly height: number;
  readonly buffer: Uint8Array<ArrayBuffer>;
}

/** What a module of imagescript throws is a number, or a trap such as "unreachable": nothing that helps. */
function attempt<T>(format: string, decode: () => T): T {
  try {
    return decode();
  } catch {
    throw corrupt(format, "its data is damaged or cut off");
  }
}

function corrupt(format: string, reason: string): ImageError {
  return new ImageError("corrupt", `Cannot decode the ${format}: ${reason}`);
}
