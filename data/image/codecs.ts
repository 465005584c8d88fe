/**
 * The decoders, one function per format: encoded bytes to RGBA pixels as stored. All of them are WebAssembly from npm, compiled once
 * per thread when the first photo of their format comes and read from the package cache, so that nothing is fetched and no native code
 * sees a hostile file. imagescript's modules look at the environment when they are loaded, which needs a permission.
 * @module
 */
import decodeMozJpeg, { init as initMozJpeg } from "@jsquash/jpeg/decode.js";
import { type DecodedImage, ImageError, type ImageHeader } from "./image.ts";

const CMYK = 2; // imagescript's number for four components

let mozJpeg: Promise<WebAssembly.Module> | undefined;
let memory: WebAssembly.Memory | undefined;
const messages: string[] = [];

/** Above this the decoder's memory is thrown away after a photo: WebAssembly memory never shrinks. */
const KEPT_MEMORY = 64 * 2 ** 20;

let turn: Promise<unknown> = Promise.resolve();

/** Decodes a greyscale or colour JPEG; throws an `ImageError` of code `corrupt` with libjpeg's reason. */
export function decodeJpeg(bytes: Uint8Array): Promise<DecodedImage> {
  // One at a time: the instance and its messages are shared.
  const mine = turn.then(() => decodeAlone(bytes));
  turn = mine.catch(() => {});
  return mine;
}

async function decodeAlone(bytes: Uint8Array): Promise<DecodedImage> {
  if (memory === undefined) await startMozJpeg();
  messages.length = 0;
  try {
    const { width, height, data } = await decodeMozJpeg(withEnd(bytes));
    // libjpeg only warns when it has to make up the rest of a photo.
    if (messages.some((line) => /premature end/i.test(line))) throw new Error("its data is cut off");
    if (memory!.buffer.byteLength > KEPT_MEMORY) memory = undefined;
    return { width, height, data: new Uint8Array(data.buffer as ArrayBuffer) };
  } catch (error) {
    memory = undefined; // libjpeg has jumped out and freed nothing
    throw corrupt("JPEG", messages.at(-1) ?? error);
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

/** A whole photo may lack its end marker; with one, libjpeg complains only of pixels that are missing. */
function withEnd(bytes: Uint8Array): ArrayBuffer {
  const ended = new Uint8Array(bytes.length + 2);
  ended.set(bytes);
  ended.set([0xff, 0xd9], bytes.length);
  return ended.buffer;
}

/** Decodes a CMYK or YCCK JPEG with inverted inks, as Adobe's programs write them. */
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

/** Decodes a PNG of any colour type and depth; of an animated one its still image. */
export async function decodePng(bytes: Uint8Array): Promise<DecodedImage> {
  const { default: png } = await import("imagescript/wasm/node/png.js");
  const decoder = await png.init() as {
    decode(bytes: Uint8Array): { width: number; height: number; framebuffer: Uint8Array<ArrayBuffer> };
  };
  const { width, height, framebuffer } = attempt("PNG", () => decoder.decode(bytes));
  return { width, height, data: framebuffer };
}

/** Decodes the first frame of a GIF, in its place on a transparent canvas; `header` says where that frame ends. */
export async function decodeGif(bytes: Uint8Array, header: ImageHeader): Promise<DecodedImage> {
  const { default: gif } = await import("imagescript/wasm/node/gif.js");
  const { Decoder } = await gif.init() as { Decoder: new (bytes: Uint8Array) => GifDecoder };
  const end = header.firstFrameEnd!;
  const alone = new Uint8Array(end + 1);
  alone.set(bytes.subarray(0, end));
  alone[end] = 0x3b; // the trailer, instead of the next frame
  const frame = attempt("GIF", () => new Decoder(alone).frame());
  if (frame === null) throw corrupt("GIF", "it holds no frame");
  const data = new Uint8Array(header.width * header.height * 4);
  for (let y = 0; y < frame.height; y++) {
    const row = frame.buffer.subarray(y * frame.width * 4, (y + 1) * frame.width * 4);
    data.set(row, ((frame.y + y) * header.width + frame.x) * 4);
  }
  return { width: header.width, height: header.height, data };
}

interface ImagescriptFrame {
  readonly width: number;
  readonly height: number;
  readonly buffer: Uint8Array<ArrayBuffer>;
}

interface GifDecoder {
  frame(): (ImagescriptFrame & { x: number; y: number }) | null;
}

function attempt<T>(format: string, decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    throw corrupt(format, error);
  }
}

function corrupt(format: string, reason: unknown): ImageError {
  if (reason instanceof ImageError) return reason;
  const text = reason instanceof Error ? reason.message : String(reason);
  return new ImageError("corrupt", `Cannot decode the ${format}: ${text}`);
}
