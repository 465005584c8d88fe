/**
 * Finds the photos in the body of a request: a form's files, or the body itself.
 * @module
 */
import { ContentDisposition } from "@remix-run/headers/content-disposition";
import { RequestError } from "./errors.ts";

/** An encoded photo as it came. */
export interface UploadedPhoto {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** The file's name, where the client told it. */
  readonly file?: string;
}

/** The multipart field that holds photos. */
export const FIELD = "image";

/** What other servers call that field. */
const ALIASES: readonly string[] = ["file", "files", "images", "photo", "photos"];

/** Photos in one request at most, parts of a form, and bytes of a part's header. */
const MAX_PHOTOS = 256, MAX_PARTS = 2 * MAX_PHOTOS, MAX_HEADER = 4096;

/** RFC 2046's length. */
const BOUNDARY = /^[\x20-\x7e]{1,70}$/;

const LF = 0x0a, CR = 0x0d, DASH = 0x2d, BLANK_LINE = Uint8Array.of(CR, LF, CR, LF);

/**
 * The photos of a body: all `image` fields of a multipart form (or what others call them), or the body itself. What they are is read from their bytes; the content
 * type only tells a form from a photo. Throws a `RequestError` with status 400, 413 or 415.
 */
export function findPhotos(
  body: Uint8Array<ArrayBuffer>,
  contentType: string | undefined,
): UploadedPhoto[] {
  const type = (contentType ?? "").split(";", 1)[0]!.trim().toLowerCase();
  if (type === "multipart/form-data") return findInForm(body, contentType!);
  if (type === "application/x-www-form-urlencoded" && body.length > 0 && looksLikeText(body)) {
    // What `curl -d` sends; `curl --data-binary @photo` has this type, too, and is welcome.
    throw new RequestError(
      415,
      `Cannot classify a URL-encoded form: expected a photo or a multipart form with "${FIELD}"`,
    );
  }
  if (body.length === 0) throw new RequestError(400, "Cannot classify: the body is empty, expected a photo");
  return [{ bytes: body }];
}

function findInForm(body: Uint8Array<ArrayBuffer>, contentType: string): UploadedPhoto[] {
  const others = new Set<string>();
  const photos: UploadedPhoto[] = [];
  let textual: string | undefined;
  for (const { header, content } of splitForm(body, contentType)) {
    const { name, filename } = describe(header);
    const alias = name !== undefined && ALIASES.includes(name);
    if (name !== FIELD && !(alias && filename !== undefined)) {
      others.add(name ?? "");
      if (alias) textual ??= name;
      continue;
    }
    if (filename === undefined) throw holdsText(FIELD);
    if (photos.length === MAX_PHOTOS) {
      throw new RequestError(413, `Cannot take more than ${MAX_PHOTOS} photos in one request`);
    }
    if (content.length === 0) {
      throw new RequestError(400, `Cannot classify ${JSON.stringify(filename)}: the file is empty`);
    }
    photos.push({ bytes: content.slice(), file: filename }); // each is given away to its decoder
  }
  if (photos.length > 0) return photos;
  if (textual !== undefined) throw holdsText(textual);
  const found = [...others].slice(0, 8).map((key) => JSON.stringify(key)).join(", ") || "no field";
  throw new RequestError(
    400,
    `Cannot find a photo in the form: it has ${found}, expected a file in "${FIELD}"`,
  );
}

function holdsText(field: string): RequestError {
  return new RequestError(400, `Cannot read the form: "${field}" holds text, expected a file`);
}

interface Part {
  readonly header: Uint8Array;
  readonly content: Uint8Array<ArrayBuffer>;
}

/**
 * The parts of a form (RFC 7578), as views of its bytes. Deno's own reader cuts file names at `=` and `;`, and the libraries beside it
 * take seconds over a body that is made to look like its boundary. This looks at each byte once and counts before it makes anything.
 */
function splitForm(body: Uint8Array<ArrayBuffer>, contentType: string): Part[] {
  const delimiter = new TextEncoder().encode(`\r\n--${boundaryOf(contentType)}`);
  const opening = delimiter.subarray(2);
  if (!opening.every((byte, i) => body[i] === byte)) unreadable("it does not begin with its boundary");
  const parts: Part[] = [];
  for (let at = opening.length; body[at] !== DASH || body[at + 1] !== DASH;) {
    if (body[at] !== CR || body[at + 1] !== LF) {
      unreadable("a boundary is not followed by the end of its line");
    }
    if (parts.length === MAX_PARTS) {
      throw new RequestError(413, `Cannot read the multipart form: it has more than ${MAX_PARTS} parts`);
    }
    const blank = find(body.subarray(0, at + MAX_HEADER), BLANK_LINE, at);
    if (blank < 0) {
      unreadable(`the header of part ${parts.length + 1} does not end within ${MAX_HEADER} bytes`);
    }
    const start = blank + BLANK_LINE.length;
    const end = find(body, delimiter, start - 2); // an empty part may share its line's end
    if (end < 0) unreadable(`it ends within part ${parts.length + 1}`);
    parts.push({ header: body.subarray(at + 2, blank), content: body.subarray(start, Math.max(start, end)) });
    at = end + delimiter.length;
  }
  return parts;
}

function boundaryOf(contentType: string): string {
  const [, quoted, plain] = /;\s*boundary=(?:"([^"]*)"|([^;]*))/i.exec(contentType) ?? [];
  const boundary = (quoted ?? plain ?? "").trimEnd();
  if (!BOUNDARY.test(boundary)) unreadable("its type has no boundary of 1 to 70 characters");
  return boundary;
}

/** Where `wanted` begins at or after `from`, or -1. It begins with CR and hardly has another, so no byte is compared more than twice. */
function find(bytes: Uint8Array, wanted: Uint8Array, from: number): number {
  const last = bytes.length - wanted.length;
  for (let i = from; i <= last; i++) {
    if (bytes[i] !== CR) continue;
    let same = 1;
    while (same < wanted.length && bytes[i + same] === wanted[same]) same++;
    if (same === wanted.length) return i;
  }
  return -1;
}

/** A part's field and, of a file, its name: in UTF-8, where the client says so the name that it wrote with percent signs. */
function describe(header: Uint8Array): { name: string | undefined; filename: string | undefined } {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(header);
    const [, disposition] = /(?:^|\n)content-disposition:([^\r\n]*)/i.exec(text) ?? [];
    const { name, filename, filenameSplat } = ContentDisposition.from(disposition?.trim() ?? null);
    const [, encoded] = /^utf-8'[^']*'(.+)$/i.exec(filenameSplat ?? "") ?? [];
    return { name, filename: encoded === undefined ? filename : decodeURIComponent(encoded) };
  } catch {
    unreadable("the name of a field or file is not UTF-8");
  }
}

function unreadable(problem: string): never {
  throw new RequestError(400, `Cannot read the multipart form: ${problem}`);
}

function looksLikeText(bytes: Uint8Array): boolean {
  return bytes.subarray(0, 64).every((byte) => byte >= 0x20 && byte < 0x7f);
}
