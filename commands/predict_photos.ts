/**
 * Photos with names become answers with names, in batches; what is wrong with one of them is its answer, and the others go on.
 * @module
 */
import { DecoderPool } from "../data/image/decoder_pool.ts";
import { type DecodedImage, ImageError } from "../data/image/image.ts";
import { decodeSide } from "../data/preprocess.ts";
import {
  type Classification,
  type Classifier,
  type ClassifyOptions,
  namedProbabilities,
  ranking,
} from "../model/inference/classifier_types.ts";
import { InputError, type PhotoInput } from "./predict_inputs.ts";

/** A photo's classes, most probable first, or why there are none. */
export type Answer = { readonly file: string } & (ReturnType<typeof told> | { readonly error: string });

/**
 * Answers in the order of the inputs, batch by batch. No photo is decoded while one is classified: waiting for the device holds up this
 * thread, and a decoder that has answered meanwhile would seem to be late.
 */
export async function* answerPhotos(
  classifier: Classifier,
  inputs: readonly PhotoInput[],
  { refuse = true, ...options }: ClassifyOptions & {
    /** Whether a photo may be called unknown, where the model can tell; default true. */
    readonly refuse?: boolean;
  } = {},
): AsyncGenerator<Answer> {
  const { card, maxBatch } = classifier;
  const shorterSide = decodeSide(card.preprocess);
  await using pool = new DecoderPool({ workers: Math.min(navigator.hardwareConcurrency, inputs.length) });
  const decode = (from: number) =>
    Promise.all(
      inputs.slice(from, from + maxBatch).map(async ({ name, read }) => {
        return { file: name, photo: await attempt(async () => pool.decode(await read(), { shorterSide })) };
      }),
    );
  for (let from = 0; from < inputs.length; from += maxBatch) {
    const batch = await decode(from);
    const photos = batch.flatMap(({ photo }) => "error" in photo ? [] : [photo.value]);
    const results = (await classify(classifier, photos, options)).values();
    for (const { file, photo } of batch) {
      const result = "error" in photo ? photo : results.next().value!;
      yield "error" in result ? { file, ...result } : { file, ...told(result.value, card.classes, refuse) };
    }
  }
}

/** One result for each photo. Photos that are too large for the device together are tried one by one. */
async function classify(
  classifier: Classifier,
  photos: readonly DecodedImage[],
  options: ClassifyOptions,
): Promise<Attempt<Classification>[]> {
  if (photos.length === 0) return [];
  const all = await attempt(() => classifier.classify(photos, options));
  if (!("error" in all)) return all.value.map((value) => ({ value }));
  if (photos.length === 1) return [all];
  const alone: Attempt<Classification>[] = [];
  for (const photo of photos) alone.push(...await classify(classifier, [photo], options));
  return alone;
}

/** What came of a photo: what was wanted, or why not. */
type Attempt<T> = { readonly value: T } | { readonly error: string };

/** Catches what is wrong with one photo alone. */
async function attempt<T>(work: () => Promise<T>): Promise<Attempt<T>> {
  try {
    return { value: await work() };
  } catch (error) {
    if (error instanceof ImageError || error instanceof InputError) return { error: error.message };
    throw error;
  }
}

/** An answer with the classes in the order of their probabilities. */
function told(answer: Classification, classes: readonly string[], refuse: boolean) {
  const { logits, probabilities } = answer, order = ranking(probabilities);
  return {
    ...namedProbabilities(classes, answer, { refuse }),
    logits: order.map((k) => ({ class: classes[k]!, logit: logits[k]! })),
  };
}
