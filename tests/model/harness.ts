/** What the tests of networks share: one device, one training step on given values, and errors. */
import { Gpu, type GpuOptions } from "../../engine/gpu.ts";
import { Plan } from "../../engine/plan.ts";
import { readTensors, writeTensor } from "../../engine/tensor.ts";
import { sizeOf } from "../../model/layer.ts";
import type { Architecture, Network } from "../../model/network.ts";
import { referenceNetwork, type TrainingMode } from "../../model/reference_network.ts";
import { product } from "../../model/parameters.ts";
import { TrainingStep } from "../../model/training_step.ts";

/** Runs `work` with a device and releases it. */
export async function withGpu(
  work: (gpu: Gpu) => Promise<void> | void,
  options: GpuOptions = {},
): Promise<void> {
  using gpu = await Gpu.request(options);
  await work(gpu);
}

/** |a - b| / |b| in the Euclidean norm. */
export function normalisedError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (actual.length !== expected.length) return Infinity;
  let difference = 0, size = 0;
  for (let i = 0; i < expected.length; i++) {
    difference += (actual[i]! - expected[i]!) ** 2;
    size += expected[i]! ** 2;
  }
  return difference === 0 ? 0 : Math.sqrt(difference / size);
}

/** [N, C, H, W] -> [N, H, W, C]. */
export function toNhwc(values: ArrayLike<number>, c: number, pixels: number): Float32Array {
  return Float32Array.from({ length: values.length }, (_, i) => {
    const channel = i % c, pixel = Math.floor(i / c) % pixels, image = Math.floor(i / (c * pixels));
    return values[(image * c + channel) * pixels + pixel]!;
  });
}

/** [N, H, W, C] -> [N, C, H, W]. */
export function toNchw(values: ArrayLike<number>, c: number, pixels: number): Float32Array {
  return Float32Array.from({ length: values.length }, (_, i) => {
    const pixel = i % pixels, channel = Math.floor(i / pixels) % c, image = Math.floor(i / (c * pixels));
    return values[(image * pixels + pixel) * c + channel]!;
  });
}

/** Logits [N, classes] of an NCHW input in inference mode. */
export async function infer(network: Network, input: Float32Array): Promise<Float32Array> {
  const { gpu, architecture: { input: shape } } = network;
  using plan = new Plan(gpu, "test inference");
  const x = network.inputTensor(plan, input.length / sizeOf(shape));
  const { logits } = network.buildForward(plan, x);
  await plan.compile();
  writeTensor(gpu, x, toNhwc(input, shape.c, shape.h * shape.w));
  plan.run();
  return (await readTensors(gpu, [logits]))[0]!;
}

/** Seed of the randomness in training steps. */
export const SEED = 7;

/** What one training step computes. */
export interface StepResult {
  readonly logits: Float32Array;
  /** Mean over the batch. */
  readonly loss: number;
  /** By name, in PyTorch's order. */
  readonly gradients: Map<string, Float32Array>;
}

/** A step recorded into a plan, which takes NCHW inputs. */
export class TestStep extends TrainingStep {
  constructor(plan: Plan, network: Network, batch: number) {
    super(plan, network, { batch });
  }

  /** Writes a batch [N, C, H, W]. */
  write(values: Float32Array, target: readonly number[], step = 0): void {
    const { gpu, architecture: { input } } = this.network;
    writeTensor(gpu, this.x, toNhwc(values, input.c, input.h * input.w));
    this.writeLabels(target);
    this.writeRandom(SEED, step);
  }

  async read(): Promise<StepResult> {
    const [logits] = await readTensors(this.network.gpu, [this.logits]);
    return { logits: logits!, loss: await this.loss(), gradients: await this.readGradients() };
  }
}

/** One training step's forward and backward on an NCHW input. */
export async function trainingStep(
  network: Network,
  input: Float32Array,
  labels: readonly number[],
): Promise<StepResult> {
  using plan = new Plan(network.gpu, "test step");
  using step = new TestStep(plan, network, labels.length);
  await plan.compile();
  step.write(input, labels);
  plan.run();
  return await step.read();
}

/** Repeatable values in [-1, 1). */
export function noise(length: number, seed = 1): Float32Array {
  const values = new Float32Array(length);
  for (let i = 0; i < length; i++) {
    const mixed = Math.imul(i + 1, 0x9e3779b1) ^ Math.imul(seed, 0x85ebca6b);
    values[i] = Math.imul(mixed ^ (mixed >>> 15), 0x2c1b3c6d) / 2 ** 31;
  }
  return values;
}

/** Weights of He's deviation, quicker to draw than normal ones; statistics and biases away from 0 and 1. */
export function fillParameters({ parameters }: Network): void {
  for (const { name, spec: { shape } } of parameters.all) {
    const values = noise(product(shape), name.length);
    const fanIn = product(shape.slice(1));
    const [scale, shift] = shape.length > 1
      ? [Math.sqrt(6 / fanIn), 0]
      : /var$|weight$/.test(name)
      ? [0.5, 1]
      : [0.2, 0];
    for (let i = 0; i < values.length; i++) values[i] = shift + scale * values[i]!;
    parameters.write(name, values);
  }
}

/** Logits [N, classes] of an NCHW input in plain float64 loops; of features that are no logits, [N, H, W, C]. */
export function referenceLogits(
  architecture: Architecture,
  weights: ReadonlyMap<string, ArrayLike<number>>,
  input: ArrayLike<number>,
  training?: TrainingMode,
): Float64Array {
  const { c, h, w } = architecture.input, pixels = h * w;
  // Not by way of float32, so that finite differences may be small.
  const images = Float64Array.from({ length: input.length }, (_, i) => {
    const channel = i % c, pixel = Math.floor(i / c) % pixels, image = Math.floor(i / (c * pixels));
    return input[(image * c + channel) * pixels + pixel]!;
  });
  return Float64Array.from(referenceNetwork(architecture, weights, images, training).y);
}
