/**
 * Photos with names become Grad-CAM pictures with names.
 * @module
 */
import { basename, dirname, extname, join } from "@std/path";
import { evaluationMap } from "../data/augment.ts";
import { EXPLAINED } from "../data/dataset/walk.ts";
import { DecoderPool } from "../data/image/decoder_pool.ts";
import { ImageError } from "../data/image/image.ts";
import { decodeSide } from "../data/preprocess.ts";
import { encodeJpeg } from "../data/shapes/shape_drawing.ts";
import type { NetworkClassifier } from "../model/inference/classifier.ts";
import { ranking } from "../model/inference/classifier_types.ts";
import { explainedPhoto } from "../model/inference/overlay.ts";
import { InputError, type PhotoInput } from "./predict_inputs.ts";

/** How photos are explained. */
export interface ExplainOptions {
  /** The class; undefined: each photo's most probable. */
  readonly label?: number | undefined;
  /** The layer whose map is shown; undefined: the last map of features. */
  readonly layer?: string | undefined;
  /** Where pictures go; undefined: beside their photos. */
  readonly out?: string | undefined;
}

/** What explains a photo, or why nothing does. */
export type Explained =
  & { readonly file: string }
  & ({
    /** The class that is explained. */
    readonly class: string;
    /** The network's probability of it. */
    readonly probability: number;
    /** The map, row by row, 0 to 1. */
    readonly map: { readonly width: number; readonly height: number; readonly values: readonly number[] };
    /** The written file. */
    readonly picture: string;
  } | { readonly error: string });

/** The shorter side of a written picture at most, in pixels: larger ones show no more of a map of a few cells. */
const PICTURE_SIDE = 640;

/** Explains and writes one photo after the other; a photo that cannot be read is told, and the others go on. */
export async function* explainPhotos(
  classifier: NetworkClassifier,
  inputs: readonly PhotoInput[],
  { label, layer, out }: ExplainOptions = {},
): AsyncGenerator<Explained> {
  const { preprocess, classes } = classifier.card, taken = new Set<string>();
  if (out !== undefined) await Deno.mkdir(out, { recursive: true });
  await using pool = new DecoderPool({ workers: 1 });
  for (const { name: file, read } of inputs) {
    try {
      const bytes = await read();
      // As small as `predict` has it, so that the answer is the same; a decoder takes the bytes it is given.
      const photo = await pool.decode(bytes.slice(), { shorterSide: decodeSide(preprocess) });
      const shown = await pool.decode(bytes, { shorterSide: PICTURE_SIDE });
      const [answer] = await classifier.classify([photo]), { probabilities } = answer!;
      const k = label ?? ranking(probabilities)[0]!;
      const heatmap = await classifier.explain(photo, { label: k, layer });
      const map = evaluationMap(shown, preprocess, preprocess.resize);
      const picture = freePath(out ?? dirname(file), file, taken);
      await Deno.writeFile(
        picture,
        await encodeJpeg(explainedPhoto(shown, { heatmap, input: preprocess, map })),
      );
      const { width, height, data } = heatmap;
      yield {
        file,
        class: classes[k]!,
        probability: probabilities[k]!,
        map: { width, height, values: [...data] },
        picture,
      };
    } catch (error) {
      if (!(error instanceof ImageError || error instanceof InputError)) throw error;
      yield { file, error: error.message };
    }
  }
}

/** `cat.gradcam.jpg` for `cat.png`; where this call has written one of that name already, `cat.2.gradcam.jpg`. */
function freePath(folder: string, file: string, taken: Set<string>): string {
  const stem = basename(file, extname(file));
  for (let n = 1;; n++) {
    const path = join(folder, `${stem}${n === 1 ? "" : `.${n}`}${EXPLAINED}`);
    if (taken.size < taken.add(path).size) return path;
  }
}
