import encodeMozJpeg, { init } from "@jsquash/jpeg/encode.js";
import type { DecodedImage } from "../image/image.ts";

/** MozJPEG's own settings; what is not given is as MozJPEG has it. */
export interface JpegOptions {
  readonly quality?: number;
  readonly progressive?: boolean;
  /** 1 grey, 2 RGB, 3 YCbCr. */
  readonly color_space?: number;
}

let ready: Promise<void> | undefined;

/** Encodes an image as JPEG; alpha is ignored. */
export async function encodeJpeg(
  image: DecodedImage,
  options: JpegOptions = {},
): Promise<Uint8Array<ArrayBuffer>> {
  ready ??= start();
  await ready;
  const { width, height, data } = image;
  const pixels = new Uint8ClampedArray(data.buffer, data.byteOffset, data.byteLength);
  return new Uint8Array(
    await encodeMozJpeg({ width, height, data: pixels, colorSpace: "srgb" } as ImageData, options),
  );
}

async function start(): Promise<void> {
  const code = await Deno.readFile(new URL(import.meta.resolve("@jsquash/jpeg/codec/enc/mozjpeg_enc.wasm")));
  const compiled = await WebAssembly.compile(code);
  await init({
    instantiateWasm(imports: WebAssembly.Imports, done: (instance: WebAssembly.Instance) => void) {
      const instance = new WebAssembly.Instance(compiled, imports);
      done(instance);
      return instance.exports;
    },
  });
}
