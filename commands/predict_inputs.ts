/**
 * What `deno task predict` is given: files, folders, standard input and web addresses, each of which becomes photos with names.
 * @module
 */
import { join } from "@std/path";
import { leftOutText, walkPhotos } from "../data/dataset/walk.ts";
import { PHOTO_FORMAT_NAMES } from "../data/image/formats.ts";
import { UserError } from "../engine/errors.ts";

/** A photo that cannot be read; others can be answered all the same. */
export class InputError extends UserError {
  /** The class's name. */
  override readonly name = "InputError";
}

/** A photo that can be read once. */
export interface PhotoInput {
  /** What answers call it: its path or address, or `-`. */
  readonly name: string;
  /** Its bytes; rejects with an `InputError` that says in one sentence why there are none. */
  read(): Promise<Uint8Array>;
}

/** How inputs are read. */
export interface InputOptions {
  /** How web addresses are fetched; absent: they are refused. */
  readonly web?: WebLimits | undefined;
  /** Told of files in folders that are no photos. */
  readonly onNote?: (text: string) => void;
  /** Standard input. */
  readonly stdin?: () => ReadableStream<Uint8Array>;
}

/** What a photo from the web may take. */
export interface WebLimits {
  /** Bytes at most. */
  readonly maxBytes: number;
  /** Milliseconds at most, from asking to the last byte. */
  readonly timeoutMs: number;
}

/** The photos that arguments mean, in their order, a folder's by name. What cannot be found is a photo whose `read` says so. */
export async function photoInputs(
  args: readonly string[],
  { web, onNote, stdin = () => Deno.stdin.readable }: InputOptions = {},
): Promise<PhotoInput[]> {
  const inputs: PhotoInput[] = [];
  for (const name of args) {
    if (name === "-") inputs.push({ name, read: () => new Response(stdin()).bytes() });
    else if (/^https?:\/\//i.test(name)) inputs.push({ name, read: () => fetchPhoto(name, web) });
    else if (await isFolder(name)) inputs.push(...await folderInputs(name, onNote));
    else inputs.push({ name, read: () => readPhoto(name) });
  }
  return inputs;
}

async function isFolder(path: string): Promise<boolean> {
  return await Deno.stat(path).then((info) => info.isDirectory, () => false);
}

async function folderInputs(folder: string, onNote?: (text: string) => void): Promise<PhotoInput[]> {
  const failed = (reason: string): PhotoInput[] => [{
    name: folder,
    read: () => Promise.reject(new InputError(reason)),
  }];
  let walked: Awaited<ReturnType<typeof walkPhotos>>;
  try {
    walked = await walkPhotos(folder);
  } catch (error) {
    return failed(`Cannot read the folder: ${(error as Error).message}`);
  }
  const { photos, leftOut } = walked;
  const text = leftOutText(folder, leftOut, photos.length + leftOut.length);
  if (text !== undefined) onNote?.(`${folder}: ${text}`);
  if (photos.length === 0) {
    return failed(`Cannot find a photo in the folder: it has no ${PHOTO_FORMAT_NAMES}`);
  }
  return photos.map((photo) => {
    const path = join(folder, photo);
    return { name: path, read: () => readPhoto(path) };
  });
}

async function readPhoto(path: string): Promise<Uint8Array> {
  try {
    return await Deno.readFile(path);
  } catch (error) {
    const reason = error instanceof Deno.errors.NotFound ? "there is no such file" : (error as Error).message;
    throw new InputError(`Cannot read the photo: ${reason}`);
  }
}

/** Fetches a photo; throws an `InputError` where that is not allowed, fails, or takes more than the limits. */
async function fetchPhoto(address: string, limits: WebLimits | undefined): Promise<Uint8Array> {
  const fail = (reason: string) => new InputError(`Cannot fetch the photo: ${reason}`);
  if (limits === undefined) throw fail("it is a web address, which only --allow-urls lets be fetched");
  const { maxBytes, timeoutMs } = limits;
  const signal = AbortSignal.timeout(timeoutMs);
  try {
    const response = await fetch(address, { signal });
    if (!response.ok) {
      await response.body?.cancel();
      throw fail(`the server answered with status ${response.status}`);
    }
    // What a server says of the length may be missing or wrong, so bytes are counted as they come.
    const pieces: Uint8Array[] = [];
    let count = 0;
    for await (const piece of response.body ?? []) {
      count += piece.length;
      if (count > maxBytes) throw fail(`it has more than ${maxBytes / 1e6} MB, which --max-url-mb allows`);
      pieces.push(piece);
    }
    return await new Blob(pieces as BlobPart[]).bytes();
  } catch (error) {
    if (error instanceof InputError) throw error;
    if (signal.aborted) throw fail(`it took longer than ${timeoutMs} ms, which --url-timeout-ms allows`);
    throw fail((error as Error).message);
  }
}
