/**
 * A Grad-CAM map as a picture that a page can show.
 * @module
 */
// Its encoder alone: the package as a whole loads native code.
import png from "imagescript/png/node.js";
import { type OverlayJob, overlayPixels } from "../../model/inference/overlay.ts";

/** `overlayPixels` as a PNG, in a data URL. */
export async function paintOverlay(job: OverlayJob): Promise<string> {
  const { width, height, data } = overlayPixels(job);
  const bytes: Uint8Array = await png.encode(data, { width, height, channels: 4, depth: 8, level: 6 });
  return `data:image/png;base64,${bytes.toBase64()}`;
}
