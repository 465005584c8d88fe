/**
 * Finds the photos in the body of a request: a form's files, or the body itself.
 * @module
 */
import { ContentDisposition } from "@remix-run/headers/content-disposition";
import {
  getMultipartBoundary,
  MaxPartsExceededError,
  type MultipartPart,
  parseMultipart,
} from "@remix-run/multipart-parser";
import { RequestError } from "./errors.ts";

/** An encoded photo as it came. */
export interface UploadedPhoto {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** The file's name, where the client told it. */
  readonly file?: string;
}

/** The multipart field that holds photos. */
export const FIELD = "image";

/** Photos in one request at most, parts of a form, and bytes of a part's header. */
const MAX_PHOTOS = 256, MAX_PARTS = 2 * MAX_PHOTOS, MAX_HEADER = 4096;

/** RFC 2046's length; the parser's search does not end for one of 252 bytes or more. */
const BOUNDARY = /^[\x20-\x7e]{1,70}$/;

/**
 * The photos of a body: all `image` fields of a multipart form, or the body itself. What they are is read from their bytes; the content
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
  for (const part of partsOf(body, contentType)) {
    const { name, filename } = describe(part);
    if (name !== FIELD) {
      others.add(name ?? "");
      continue;
    }
    if (filename === undefined) {
      throw new RequestError(400, `Cannot read the form: "${FIELD}" holds text, expected a file`);
    }
    if (photos.length === MAX_PHOTOS) {
      throw new RequestError(413, `Cannot take more than ${MAX_PHOTOS} photos in one request`);
    }
    const { bytes } = part;
    if (bytes.length === 0) {
      throw new RequestError(400, `Cannot classify ${JSON.stringify(filename)}: the file is empty`);
    }
    photos.push({ bytes: bytes as Uint8Array<ArrayBuffer>, file: filename });
  }
  if (photos.length > 0) return photos;
  const found = [...others].slice(0, 8).map((key) => JSON.stringify(key)).join(", ") || "no field";
  throw new RequestError(
    400,
    `Cannot find a photo in the form: it has ${found}, expected a file in "${FIELD}"`,
  );
}

/** The parts of a form, counted before anything is made of them. */
function partsOf(body: Uint8Array<ArrayBuffer>, contentType: string): MultipartPart[] {
  const boundary = getMultipartBoundary(contentType)?.trimEnd();
  if (boundary === undefined || !BOUNDARY.test(boundary)) {
    throw new RequestError(
      400,
      "Cannot read the multipart form: its type has no boundary of 1 to 70 characters",
    );
  }
  const sizes = { maxFileSize: body.length, maxTotalSize: body.length, maxHeaderSize: MAX_HEADER };
  try {
    return [...parseMultipart(body, { boundary, maxParts: MAX_PARTS, ...sizes })];
  } catch (error) {
    if (error instanceof MaxPartsExceededError) {
      throw new RequestError(413, `Cannot read the multipart form: it has more than ${MAX_PARTS} parts`);
    }
    throw new RequestError(400, `Cannot read the multipart form: ${(error as Error).message}`);
  }
}

/** A part's field and, of a file, its name: in UTF-8, where the client says so the name that it wrote with percent signs. */
function describe(part: MultipartPart): { name: string | undefined; filename: string | undefined } {
  try {
    const header = part.headers["content-disposition"] ?? null;
    const { name, filename, filenameSplat } = ContentDisposition.from(header);
    const [, encoded] = /^utf-8'[^']*'(.+)$/i.exec(filenameSplat ?? "") ?? [];
    return { name, filename: encoded === undefined ? filename : decodeURIComponent(encoded) };
  } catch {
    throw new RequestError(400, "Cannot read the multipart form: the name of a field or file is not UTF-8");
  }
}

function looksLikeText(bytes: Uint8Array): boolean {
  return bytes.subarray(0, 64).every((byte) => byte >= 0x20 && byte < 0x7f);
}
