/**
 * The decoders of AVIF and HEIC, which few folders need: 18 MB, which Deno fetches when the first such photo comes, and not with the
 * packages of `deno.json`, all of which a new machine's first command fetches.
 * @module
 */
import { dirname, fromFileUrl } from "@std/path";
import { type DecodedImage, ImageError, type ImageFormat } from "./image.ts";

/** A format whose decoder is fetched. */
export type FetchedFormat = "avif" | "heic";

/** The packages, at the versions that were tried. */
export const FETCHED_PACKAGES: Readonly<Record<FetchedFormat, string>> = {
  avif: "npm:@jsquash/avif@2.1.1",
  heic: "npm:libheif-js@1.23.2",
};

/** All of them. */
export const FETCHED_FORMATS = Object.keys(FETCHED_PACKAGES) as readonly FetchedFormat[];

/** Whether the decoder of a format is fetched when it is needed. */
export function isFetched(format: ImageFormat): format is FetchedFormat {
  return format in FETCHED_PACKAGES;
}

/** Fetching takes a second or two; after this it has failed. */
const FETCH_TIMEOUT_MS = 120_000;

/** One that failed is tried again by a photo that comes later than this. */
const RETRY_MS = 60_000;

const fetches = new Map<FetchedFormat, Promise<void>>();

/**
 * Makes sure that the decoder of a format lies in Deno's cache, so that a decoder process need not wait for the network; tells
 * `onFetch` if it does not yet. Needs the permission to run Deno. Rejects with an `ImageError` of code `no-decoder`.
 */
export function fetchCodec(format: FetchedFormat): Promise<void> {
  let fetching = fetches.get(format);
  if (fetching === undefined) {
    fetches.set(format, fetching = fetchPackage(format));
    fetching.catch(() => setTimeout(() => fetches.delete(format), RETRY_MS).unref());
  }
  return fetching;
}

async function fetchPackage(format: FetchedFormat): Promise<void> {
  const name = FETCHED_PACKAGES[format];
  try {
    // The process's own modules, too: without a lock file Deno wants to know more of them than it keeps with one.
    const program = fromFileUrl(new URL("./decoder_process.ts", import.meta.url));
    const { code, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["cache", "--quiet", "--no-lock", name, program],
      cwd: dirname(program), // where Deno looks for the project's configuration
      env: { NO_COLOR: "1" },
      stdin: "null",
      stdout: "null",
      stderr: "piped",
      signal: AbortSignal.timeout(FETCH_TIMEOUT_MS),
    }).output();
    if (code !== 0) {
      throw new Error(new TextDecoder().decode(stderr).trim().split("\n", 1)[0] || `code ${code}`);
    }
  } catch (error) {
    throw new ImageError(
      "no-decoder",
      `Cannot decode the ${format.toUpperCase()}: its decoder (${name}) could not be fetched: ${
        (error as Error).message
      }; where there is a network, deno task setup --decoders fetches it`,
    );
  }
}

let avif: Promise<(bytes: ArrayBuffer) => Promise<ImageData>> | undefined;

/** Decodes an AVIF of one picture as it is stored; throws an `ImageError` where it is damaged. */
export async function decodeAvif(bytes: Uint8Array): Promise<DecodedImage> {
  avif ??= (async () => {
    const { default: decode, init } = await load(`${FETCHED_PACKAGES.avif}/decode.js`);
    const code = await load(`${FETCHED_PACKAGES.avif}/codec/dec/avif_dec.wasm`, "bytes");
    await init(await WebAssembly.compile(code.default), { printErr: () => {} });
    return decode;
  })();
  const decode = await avif;
  const { width, height, data } = await decode(bytes.slice().buffer).catch(() => {
    throw corrupt("AVIF", "its data is damaged or cut off");
  });
  return { width, height, data: new Uint8Array(data.buffer as ArrayBuffer) };
}

/** What is used of libheif (its C API, documented in heif.h). */
interface LibHeif {
  heif_context_alloc(): object;
  heif_context_free(context: object): void;
  heif_context_set_maximum_image_size_limit(context: object, side: number): void;
  heif_context_read_from_memory(context: object, bytes: Uint8Array): HeifError;
  heif_js_context_get_primary_image_handle(context: object): HeifError | object;
  heif_js_decode_image2(handle: object, colours: unknown, chroma: unknown): HeifError | HeifPixels;
  heif_image_handle_release(handle: object): void;
  heif_image_release(image: object): void;
  readonly heif_error_code: { readonly heif_error_Ok: unknown };
  readonly heif_colorspace: { readonly heif_colorspace_RGB: unknown };
  readonly heif_chroma: { readonly heif_chroma_interleaved_RGBA: unknown };
}

interface HeifError {
  readonly code: unknown;
  readonly message: string;
}

interface HeifPixels {
  readonly code?: undefined;
  readonly image: object;
  readonly channels: readonly { width: number; height: number; stride: number; data: Uint8Array }[];
}

let heif: Promise<LibHeif> | undefined;

/** A square of this side has as many pixels as an image may have; libheif refuses more, whatever the file's header says. */
const MOST_SIDE = 10_000;

/** Decodes the main picture of a HEIC, turned and cropped as the file says; throws an `ImageError` where it is damaged. */
export async function decodeHeic(bytes: Uint8Array): Promise<DecodedImage> {
  heif ??= load(`${FETCHED_PACKAGES.heic}/libheif-wasm/libheif-bundle.mjs`)
    .then(({ default: start }) => start({ print: () => {}, printErr: () => {} }));
  const lib = await heif;
  const context = lib.heif_context_alloc();
  let handle: object | undefined, pixels: HeifPixels | undefined;
  try {
    lib.heif_context_set_maximum_image_size_limit(context, MOST_SIDE);
    const read = lib.heif_context_read_from_memory(context, bytes);
    if (read.code !== lib.heif_error_code.heif_error_Ok) throw damaged(read);
    const found = lib.heif_js_context_get_primary_image_handle(context);
    if (isError(found)) throw damaged(found);
    handle = found;
    const decoded = await lib.heif_js_decode_image2(
      handle,
      lib.heif_colorspace.heif_colorspace_RGB,
      lib.heif_chroma.heif_chroma_interleaved_RGBA,
    );
    if (isError(decoded)) throw damaged(decoded);
    pixels = decoded as HeifPixels;
    const { width, height, stride, data: rows } = pixels.channels[0]!;
    const data = new Uint8Array(width * height * 4);
    for (let y = 0; y < height; y++) {
      data.set(rows.subarray(y * stride, y * stride + width * 4), y * width * 4);
    }
    return { width, height, data };
  } catch (error) {
    if (error instanceof ImageError) throw error;
    heif = undefined; // its memory may be in any state
    throw corrupt("HEIC", "its data is damaged");
  } finally {
    if (heif !== undefined) {
      if (pixels) lib.heif_image_release(pixels.image);
      if (handle) lib.heif_image_handle_release(handle);
      lib.heif_context_free(context);
    }
  }
}

function isError(result: object): result is HeifError {
  return (result as Partial<HeifError>).code !== undefined;
}

/** In libheif's words: `Invalid input: Unexpected end of file: …`. */
function damaged({ message }: HeifError): ImageError {
  return corrupt("HEIC", `its data is damaged (${message.trim()})`);
}

/** A module that Deno has fetched; what is not named in the text is not fetched before it is needed. */
// deno-lint-ignore no-explicit-any -- there are no types of what is not there
function load(specifier: string, type?: "bytes"): Promise<any> {
  return type ? import(specifier, { with: { type } }) : import(specifier);
}

function corrupt(format: string, reason: string): ImageError {
  return new ImageError("corrupt", `Cannot decode the ${format}: ${reason}`);
}
