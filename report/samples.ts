/**
 * What a network sees and has learnt to look for: training samples as they reach it, and the filters of its first layer.
 * @module
 */
import { balancedOrder, trainingBatches } from "../data/dataset/batches.ts";
import type { DecodedImage } from "../data/image/image.ts";
import type { Preprocess } from "../data/preprocess.ts";
import type { Gpu } from "../engine/device.ts";
import { Plan, submit } from "../engine/plan.ts";
import { readTensor } from "../engine/tensor.ts";
import type { TensorValue } from "../model/checkpoint/safetensors.ts";
import { BatchInput } from "../training/step/batch_input.ts";
import { mostPixels, type PhotoSource, trainingPhotos } from "../training/photos/photos.ts";
import { runLength, type SettledOptions } from "../training/options/settle.ts";
import { sizeOfEpoch } from "../training/run/stages.ts";

/** A training sample as the network saw it. */
export interface SeenSample {
  readonly image: DecodedImage;
  /** Its class, and where it was mixed that of the other photo; with the shares of both. */
  readonly labels: readonly { readonly label: number; readonly share: number }[];
}

/**
 * The first samples of a run's first batch, read back from the device after the kernels that place, vary and mix them, so that they are
 * what the network saw and no imitation. `preprocess` is that of the checkpoint.
 */
export async function seenSamples(
  gpu: Gpu,
  train: PhotoSource,
  options: SettledOptions,
  preprocess: Preprocess,
  most: number,
): Promise<SeenSample[]> {
  const { seed, batchSize, accumulate } = options, labels = train.entries.map(({ label }) => label);
  const size = sizeOfEpoch(options, 0, runLength(options, labels.length).epochs);
  const output = { ...preprocess, width: size, height: size };
  const order = options.sampling === "balanced" ? balancedOrder(labels, seed, 0) : undefined;
  const first = trainingBatches(labels.length, batchSize, seed, 0, accumulate, order)[0]!.subarray(
    0,
    batchSize,
  );
  const batch = first.length;
  using plan = new Plan(gpu, "training samples");
  const capacity = batch * mostPixels(train);
  using input = new BatchInput(plan, { batch, capacity, preprocess: output, seed, mix: options });
  const x = plan.tensor([batch, size, size, 3], "samples");
  input.record(x);
  await plan.compile();
  const own = Array.from(first, (index) => labels[index]!);
  const mix = input.write(trainingPhotos(train, first, 0, options, output), own, 0);
  submit(gpu, [plan], (encoder) => input.encode(encoder));
  const values = await readTensor(gpu, x);
  const length = size * size * 3;
  return own.slice(0, most).map((label, n) => ({
    image: inputPicture(values.subarray(n * length, (n + 1) * length), output),
    labels: mix && mix.share < 1
      // A batch is mixed with its own reverse.
      ? [{ label, share: mix.share }, { label: own.at(-1 - n)!, share: 1 - mix.share }]
      : [{ label, share: 1 }],
  }));
}

/** A network's input [H, W, 3] as a picture: normalising undone. */
function inputPicture(
  values: Float32Array,
  { width, height, mean, std, channels }: Preprocess,
): DecodedImage {
  const data = new Uint8Array(width * height * 4).fill(255);
  for (let at = 0, from = 0; at < data.length; at += 4) {
    for (let c = 0; c < 3; c++) {
      const value = values[from++]! * std[c]! + mean[c]!;
      data[at + (channels === "BGR" ? 2 - c : c)] = Math.round(255 * Math.min(1, Math.max(0, value)));
    }
  }
  return { width, height, data };
}

/** Filters of the first layer that looks at colours, as small pictures. */
export interface FirstFilters {
  /** The layer's name. */
  readonly layer: string;
  readonly pictures: readonly DecodedImage[];
}

/** Those of a checkpoint, at most so many, each from its lowest to its highest weight; undefined where no layer sees colours. */
export function firstFilters(
  tensors: ReadonlyMap<string, TensorValue>,
  channels: Preprocess["channels"],
  most: number,
): FirstFilters | undefined {
  for (const [name, { shape, data }] of tensors) {
    const [count, depth, height, width] = shape;
    if (shape.length !== 4 || depth !== 3 || height! * width! < 2) continue;
    const area = height! * width!;
    const pictures = Array.from({ length: Math.min(most, count!) }, (_, n): DecodedImage => {
      const filter = data.subarray(n * 3 * area, (n + 1) * 3 * area);
      const low = filter.reduce((a, b) => Math.min(a, b), Infinity);
      const span = filter.reduce((a, b) => Math.max(a, b), -Infinity) - low || 1;
      const pixels = new Uint8Array(area * 4).fill(255);
      for (let c = 0; c < 3; c++) {
        for (let i = 0; i < area; i++) {
          const channel = channels === "BGR" ? 2 - c : c;
          pixels[i * 4 + channel] = Math.round(255 * (filter[c * area + i]! - low) / span);
        }
      }
      return { width: width!, height: height!, data: pixels };
    });
    return { layer: name.replace(/\.weight$/, ""), pictures };
  }
  return undefined;
}
