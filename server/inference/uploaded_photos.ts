/**
 * Finds the photos in the body of a request: a form's files, or the body itself.
 * @module
 */
import { RequestError } from "./errors.ts";

/** An encoded photo as it came. */
export interface UploadedPhoto {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** The file's name, where the client told it. */
  readonly file?: string;
}

/** The multipart field that holds photos. */
export const FIELD = "image";

/** Photos in one request at most. */
const MAX_PHOTOS = 256;

/**
 * The photos of a body: all `image` fields of a multipart form, or the body itself. What they are is read from their bytes; the content
 * type only tells a form from a photo. Throws a `RequestError` with status 400 or 415.
 */
export async function findPhotos(
  body: Uint8Array<ArrayBuffer>,
  contentType: string | undefined,
): Promise<UploadedPhoto[]> {
  const type = (contentType ?? "").split(";", 1)[0]!.trim().toLowerCase();
  if (type === "multipart/form-data") return await findInForm(body, contentType!);
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

async function findInForm(body: Uint8Array<ArrayBuffer>, contentType: string): Promise<UploadedPhoto[]> {
  let form: FormData;
  try {
    form = await new Response(body, { headers: { "content-type": contentType } }).formData();
  } catch (error) {
    throw new RequestError(400, `Cannot read the multipart form: ${(error as Error).message}`);
  }
  const files = form.getAll(FIELD);
  if (files.length === 0) {
    const found = [...new Set(form.keys())].slice(0, 8).map((key) => JSON.stringify(key)).join(", ") ||
      "no field";
    throw new RequestError(
      400,
      `Cannot find a photo in the form: it has ${found}, expected a file in "${FIELD}"`,
    );
  }
  if (files.length > MAX_PHOTOS) {
    throw new RequestError(413, `Cannot take ${files.length} photos in one request: at most ${MAX_PHOTOS}`);
  }
  return await Promise.all(files.map(async (file) => {
    if (typeof file === "string") {
      throw new RequestError(400, `Cannot read the form: "${FIELD}" holds text, expected a file`);
    }
    const bytes = new Uint8Array(await file.arrayBuffer());
    if (bytes.length === 0) {
      throw new RequestError(400, `Cannot classify ${JSON.stringify(file.name)}: the file is empty`);
    }
    return { bytes, file: file.name };
  }));
}

function looksLikeText(bytes: Uint8Array): boolean {
  return bytes.subarray(0, 64).every((byte) => byte >= 0x20 && byte < 0x7f);
}
