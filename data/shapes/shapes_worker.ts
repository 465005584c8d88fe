/**
 * Draws a part of the default data set in a thread of its own: takes one list of pictures, reports each, and is ended by its owner.
 * @module
 */
import { encodeJpeg } from "./jpeg_encoder.ts";
import { drawShape, type Shape } from "./shape_drawing.ts";

/** A picture to draw and the file that it goes to, whose folder exists. */
export interface ShapeFile {
  readonly path: string;
  readonly shape: Shape;
  readonly id: number;
}

/** What a worker is told: once, after it was started. */
export interface ShapesRequest {
  readonly seed: number;
  readonly files: readonly ShapeFile[];
}

/** What it answers: for each file that no error has been met, or the error. */
export type ShapesReply = { readonly error: string | null };

const scope = self as unknown as {
  onmessage: (event: MessageEvent<ShapesRequest>) => void;
  postMessage(reply: ShapesReply): void;
};

scope.onmessage = async ({ data: { seed, files } }) => {
  try {
    for (const { path, shape, id } of files) {
      const jpeg = await encodeJpeg(drawShape(shape, id, seed), { quality: 85, progressive: false });
      await Deno.writeFile(path, jpeg);
      scope.postMessage({ error: null });
    }
  } catch (error) {
    scope.postMessage({ error: (error as Error).message });
  }
};
