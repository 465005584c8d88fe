/**
 * Running statistics of batch normalisation, found again from photos (PyTorch's `swa_utils.update_bn`).
 * @module
 */
import { shuffle } from "../../engine/random.ts";
import type { Gpu } from "../../engine/device.ts";
import { Plan, submit } from "../../engine/plan.ts";
import { architecture } from "../../model/architectures/registry.ts";
import type { ModelCard } from "../../model/checkpoint/card.ts";
import type { TensorValue } from "../../model/checkpoint/safetensors.ts";
import { Network } from "../../model/network.ts";
import { PhotoFeed } from "../../model/inference/photo_feed.ts";
import { evaluationPhotos, mostPixels, type PhotoSource } from "../photos/photos.ts";

/** What `estimateStatistics` may be told. */
export interface StatisticsOptions {
  /** Photos normalised together; default 32. A remainder that does not fill a batch is left out. */
  readonly batch?: number;
  readonly onProgress?: (done: number, total: number) => void;
}

/**
 * The running statistics by name: means over batches of the statistics that each batch of photos has in training
 * mode, without augmentation and in a fixed random order. Needs at least one photo.
 */
export async function estimateStatistics(
  gpu: Gpu,
  card: ModelCard,
  tensors: ReadonlyMap<string, TensorValue>,
  source: PhotoSource,
  options: StatisticsOptions = {},
): Promise<Map<string, TensorValue>> {
  const { preprocess } = card;
  const count = source.entries.length;
  if (count === 0) throw new RangeError("Cannot estimate statistics: got no photos");
  const batch = Math.min(options.batch ?? 32, count);
  const size = { classes: card.classes.length, size: preprocess.height };
  // With momentum 1 the running statistics are those of the last batch.
  const plain = architecture(card.model, size);
  const layers = plain.layers.map(({ name, layer }) => ({
    name,
    layer: layer.with?.({ momentum: 1 }) ?? layer,
  }));
  using network = new Network(gpu, { ...plain, layers });
  network.load(tensors);
  const names = network.parameters.all.filter((p) => !p.spec.trained).map((p) => p.name);
  using feed = new PhotoFeed(gpu, batch, batch * mostPixels(source), preprocess);
  using plan = new Plan(gpu, "batch statistics");
  const x = network.inputTensor(plan, batch);
  feed.build(plan, x);
  network.buildStatistics(plan, x);
  await plan.compile();

  const sums = new Map<string, Float64Array>();
  const order = shuffle(count, 1, 0), batches = Math.floor(count / batch);
  for (let b = 0; b < batches; b++) {
    const indices = order.subarray(b * batch, (b + 1) * batch);
    feed.write(evaluationPhotos(source, indices, preprocess));
    submit(gpu, [plan], (encoder) => feed.encode(encoder));
    for (const [name, values] of await network.parameters.read(names)) {
      const sum = sums.get(name) ?? new Float64Array(values.length);
      sums.set(name, sum.map((s, i) => s + values[i]!));
    }
    options.onProgress?.(b + 1, batches);
  }
  return new Map([...sums].map(([name, sum]) => {
    return [name, { shape: [sum.length], data: Float32Array.from(sum, (s) => s / batches) }];
  }));
}
