/**
 * Bench cases of what is no layer: the bare product, the input kernel, the loss, the optimiser.
 * @module
 */
import { augmentMap, VARIATIONS } from "../../data/augment.ts";
import { defaultPreprocess } from "../../data/preprocess.ts";
import type { Launch } from "../../engine/kernel.ts";
import * as conv2d from "../../engine/kernels/conv2d/conv2d.ts";
import { conv2dForward } from "../../engine/kernels/conv2d/reference.ts";
import { stepParams } from "../../engine/kernels/optimizer/optimizer.ts";
import { sgd } from "../../engine/kernels/optimizer/reference.ts";
import { windowOf } from "../../engine/kernels/prelude/window.ts";
import { encodeSample, photosToInput, SAMPLE_WORDS } from "../../engine/kernels/preprocess/preprocess.ts";
import { samplePhoto } from "../../engine/kernels/preprocess/reference.ts";
import { softmaxCrossEntropy } from "../../engine/kernels/softmax_cross_entropy/reference.ts";
import {
  accumulateLoss,
  lossAndGradient,
} from "../../engine/kernels/softmax_cross_entropy/softmax_cross_entropy.ts";
import type { Plan } from "../../engine/plan.ts";
import { hash, normal } from "../../engine/random.ts";
import { destroyTensor, readTensor, readTensors, Tensor, writeTensor } from "../../engine/tensor.ts";
import { type Check, compare } from "../../engine/verify/case.ts";
import { type Architecture, Network } from "../../model/network.ts";
import { createOptimizer } from "../../training/step/optimizer.ts";

/** Something to check and then to time. */
export interface BenchCase {
  /** What it is, with its sizes. */
  readonly name: string;
  /** Records the launches and uploads their inputs; what the plan does not own goes to `owned`. */
  build(plan: Plan, owned: DisposableStack): BuiltCase;
}

/** A case in a plan. */
export interface BuiltCase {
  /** The launches to time; left out: all of the plan's. */
  readonly timed?: readonly Launch[];
  /** Compares the results with a reference once the plan has run. */
  check(): Promise<readonly Check[]>;
}

const TABLE = 2 ** 16;
let table: Float32Array | undefined;

/** Normally distributed values, fast enough for sixty million: a table of 65,536 in an order that differs from seed to seed. */
export function noise(seed: number, length: number): Float32Array<ArrayBuffer> {
  const values = table ??= Float32Array.from({ length: TABLE }, (_, i) => normal(1, 0xbe4d, i));
  const out = new Float32Array(length);
  // A prime step visits the whole table; each later round starts elsewhere.
  const step = 40_503 + 2 * seed;
  for (let i = 0, at = seed * 977; i < length; i++) {
    at = (at + step + (i % TABLE === 0 ? 1 : 0)) % TABLE;
    out[i] = values[at]!;
  }
  return out;
}

/** The product of two square matrices on the core that all layers use, as other libraries are measured with; its last row is compared. */
export function productCase(size: number): BenchCase {
  return {
    name: `${size}^3 product`,
    build(plan) {
      const { gpu } = plan;
      const x = plan.tensor([size, 1, 1, size], "x"), weight = plan.tensor([1, 1, size, size], "weight");
      const values = [noise(1, size * size), noise(2, size * size)] as const;
      writeTensor(gpu, x, values[0]);
      writeTensor(gpu, weight, values[1]);
      const y = conv2d.forward(plan, { x, weight });
      return {
        async check() {
          const sizes = {
            n: 1,
            h: 1,
            w: 1,
            c: size,
            o: size,
            groups: 1,
            ...windowOf("product", { kernel: 1 }),
          };
          const last = (size - 1) * size;
          const wanted = conv2dForward(values[0].subarray(last), values[1], undefined, sizes);
          return [compare("y", (await readTensor(gpu, y)).subarray(last), wanted)];
        },
      };
    },
  };
}

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
        augmentMap({
          seed: 1,
          epoch: 0,
          index,
          vary: VARIATIONS.light,
          source: photo,
          output: preprocess,
          resize,
        });
      for (let n = 0; n < batch; n++) {
        encodeSample({ ...photo, first: n * pixelCount, map: map(n), antialias }, records, n * SAMPLE_WORDS);
      }
      const pixels = plan.integers([words.length], "pixels"),
        samples = plan.integers([batch, SAMPLE_WORDS], "samples");
      const y = plan.tensor([batch, size, size, 3], "y");
      writeTensor(gpu, pixels, words);
      writeTensor(gpu, samples, records);
      photosToInput(plan, { pixels, samples, y }, preprocess);
      return {
        async check() {
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
        },
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
      const logits = plan.tensor([batch, classes], "logits"), labels = plan.integers([batch], "labels");
      const classWeights = plan.tensor([classes], "class weights"), totals = plan.tensor([4], "totals");
      const params = plan.tensor([4], "step params"), history = plan.tensor([1], "history");
      const values = noise(1, batch * classes).map((v) => 3 * v);
      const targets = Uint32Array.from({ length: batch }, (_, i) => i % classes);
      writeTensor(gpu, logits, values);
      writeTensor(gpu, labels, targets);
      writeTensor(gpu, classWeights, new Float32Array(classes).fill(1));
      const { dLogits, result } = lossAndGradient(plan, { logits, target: { labels }, classWeights });
      accumulateLoss(plan, { result, params, totals, history });
      return {
        async check() {
          const wanted = softmaxCrossEntropy(values, classes, { labels: targets });
          const [gradient, sums] = await readTensors(gpu, [dLogits, totals]);
          return [compare("dlogits", gradient!, wanted.dLogits), compare("loss", [sums![0]!], [wanted.loss])];
        },
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
      const gradients = network.parameters.zerosLike("gradient");
      owned.defer(() => gradients.forEach((g) => g && destroyTensor(gpu, g)));
      const params = plan.tensor([4], "step params");
      writeTensor(gpu, params, stepParams({ lr, gradScale: 1, step: 1 }));
      const at = gradients.findIndex((g) => g !== undefined),
        length = Math.min(COMPARED, gradients[at]!.length);
      // The first values of an arena, which may be larger than a readback.
      const part = ({ label, dtype, buffer, offset }: Tensor) =>
        new Tensor(label, [length], dtype, buffer, offset);
      const values = noise(3, length), start = noise(4, length);
      writeTensor(gpu, part(gradients[at]!), values);
      const parameters = network.parameters.arenas[at]!.values;
      writeTensor(gpu, part(parameters), start);
      optimizer.build(plan, gradients, params);
      return {
        async check() {
          const wanted = Float64Array.from(start);
          sgd(wanted, values, { velocity: new Float64Array(length) }, { lr, momentum: 0.9 });
          return [compare("parameters", await readTensor(gpu, part(parameters)), wanted)];
        },
      };
    },
  };
}
