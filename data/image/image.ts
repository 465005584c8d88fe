/**
 * Decoded photos and what can be wrong with an encoded one.
 * @module
 */
import { UserError } from "../../engine/errors.ts";

/** A decoded photo: upright (EXIF applied), 8-bit RGBA, row-major, `data.length = width * height * 4`. */
export interface DecodedImage {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array<ArrayBuffer>;
}

/** Why a file could not become a `DecodedImage`. */
export type ImageErrorCode = "too-large" | "unsupported" | "corrupt" | "timeout";

/** An image that cannot or must not be decoded. `code` tells a server which status to answer with. */
export class ImageError extends UserError {
  override readonly name = "ImageError";
  constructor(readonly code: ImageErrorCode, message: string) {
    super(message);
  }
}
