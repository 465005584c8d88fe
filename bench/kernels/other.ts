/**
 * Bench cases of what is no layer: the input kernel, the loss, the optimiser.
 * @module
 */
import { augmentMap } from "../../data/augment.ts";
import { hash } from "../../engine/random.ts";
import { encodeSample, photoInput, SAMPLE_WORDS } from "../../engine/kernels/preprocess/preprocess.ts";
import {
  accumulateLoss,
  softmaxCrossEntropy,
} from "../../engine/kernels/softmax_cross_entropy/softmax_cross_entropy.ts";
import { destroyTensor, readTensor, readTensors, writeTensor } from "../../engine/tensor.ts";
import { defaultPreprocess } from "../../data/preprocess.ts";
import { type Architecture, Network } from "../../model/network.ts";
import { createOptimizer } from "../../training/optimizer.ts";
import { compare } from "../../engine/verify/case.ts";
import { sgd } from "../../engine/kernels/optimizer/reference.ts";
import { samplePhoto } from "../../engine/kernels/preprocess/reference.ts";
import { softmaxCrossEntropy as lossReference } from "../../engine/kernels/softmax_cross_entropy/reference.ts";
import type { BenchCase } from "./case.ts";
import { noise } from "./noise.ts";

/** Photos of 340x256, as the cache keeps them, varied as in training, to a batch of inputs. */
export function photoCase(batch: number, size: number): BenchCase {
  const photo = { width: 340, height: 256 }, pixelCount = photo.width * photo.height;
  const preprocess = defaultPreprocess(size), { mean, std, antialias, resize } = preprocess;
  return {
    name: `photo_input ${batch} photos of ${photo.width}x${photo.height} -> ${size}x${size}`,
    build(plan) {
      const { gpu } = plan;
      const words = new Uint32Array(batch * pixelCount).map((_, i) => hash(1, 0xbe4e, i));
      const records = new Uint32Array(batch * SAMPLE_WORDS);
      const map = (index: number) =>
        augmentMap({ seed: 1, epoch: 0, index, level: "light", source: photo, output: preprocess, resize });
      for (let n = 0; n < batch; n++) {
        encodeSample({ ...photo, first: n * pixelCount, map: map(n), antialias }, records, n * SAMPLE_WORDS);
      }
      const pixels = plan.tensor([words.length], "pixels"),
        samples = plan.tensor([batch, SAMPLE_WORDS], "samples");
      const y = plan.tensor([batch, size, size, 3], "y");
      writeTensor(gpu, pixels, words);
      writeTensor(gpu, samples, records);
      plan.add(photoInput(pixels, samples, y, preprocess));
      return async () => {
        const last = batch - 1, points = records[last * SAMPLE_WORDS + 3]!;
        const channels = preprocess.channels === "RGB" ? [0, 1, 2] : [2, 1, 0];
        const source = new Uint8Array(words.buffer, last * pixelCount * 4, pixelCount * 4);
        const taps = [points & 0xffff, points >>> 16] as const;
        const wanted = samplePhoto(
          { pixels: source, ...photo, map: map(last), taps, channels, mean, std },
          size,
        );
        const found = (await readTensor(gpu, y)).subarray(last * size * size * 3);
        // Noise as a photo: float32 positions are off by 1e-5, see engine/kernels/preprocess/cases.ts.
        return [compare("y", found, wanted, 1e-4)];
      };
    },
  };
}

/** Softmax, cross-entropy, its gradient and the running sums. */
export function lossCase(batch: number, classes: number): BenchCase {
  return {
    name: `softmax_cross_entropy ${batch}x${classes}`,
    build(plan) {
      const { gpu } = plan;
      const logits = plan.tensor([batch, classes], "logits"),
        dLogits = plan.tensor([batch, classes], "d logits");
      const labels = plan.tensor([batch], "labels"), classWeights = plan.tensor([classes], "class weights");
      const result = plan.tensor([batch, 4], "rows"), totals = plan.tensor([4], "totals");
      const hyper = plan.tensor([4], "hyper"), history = plan.tensor([1], "history");
      const values = noise(1, batch * classes).map((v) => 3 * v);
      const targets = Uint32Array.from({ length: batch }, (_, i) => i % classes);
      writeTensor(gpu, logits, values);
      writeTensor(gpu, labels, targets);
      writeTensor(gpu, classWeights, new Float32Array(classes).fill(1));
      plan.add(
        softmaxCrossEntropy({ logits, target: { labels }, classWeights, dLogits, result }),
        accumulateLoss(result, hyper, totals, history),
      );
      return async () => {
        const wanted = lossReference(values, classes, { labels: targets });
        const [gradient, sums] = await readTensors(gpu, [dLogits, totals]);
        return [compare("dlogits", gradient!, wanted.dLogits), compare("loss", [sums![0]!], [wanted.loss])];
      };
    },
  };
}

/** Values of an optimiser that are compared. */
const COMPARED = 65_536;

/** One step of SGD with momentum on all parameters of a network. */
export function optimizerCase(architecture: Architecture): BenchCase {
  const lr = 0.01;
  return {
    name: "sgd with momentum, all parameters",
    build(plan, owned) {
      const { gpu } = plan;
      const network = owned.use(new Network(gpu, architecture));
      const optimizer = owned.use(createOptimizer(network.parameters, { optimizer: "sgd", momentum: 0.9 }));
      const gradients = network.parameters.like("gradient");
      owned.defer(() => gradients.forEach((g) => g && destroyTensor(gpu, g)));
      const hyper = plan.tensor([4], "hyper");
      writeTensor(gpu, hyper, Float32Array.of(lr, 1, 1, 0));
      const at = gradients.findIndex((g) => g !== undefined),
        length = Math.min(COMPARED, gradients[at]!.length);
      const part = { shape: [length], size: length, pitch: length, length };
      const values = noise(3, length), start = noise(4, length);
      writeTensor(gpu, { ...gradients[at]!, ...part }, values);
      const parameters = network.parameters.arenas[at]!.values;
      writeTensor(gpu, { ...parameters, ...part }, start);
      optimizer.build(plan, gradients, hyper);
      return async () => {
        const wanted = Float64Array.from(start);
        sgd(wanted, values, { velocity: new Float64Array(length) }, { lr, momentum: 0.9 });
        return [compare("parameters", await readTensor(gpu, { ...parameters, ...part }), wanted)];
      };
    },
  };
}
