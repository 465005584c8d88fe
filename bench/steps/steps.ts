/**
 * Whole steps of a model: training, inference, and the memory they take.
 * @module
 */
import type { Gpu } from "../../engine/gpu.ts";
import { architecture } from "../../model/architectures/registry.ts";
import { defaultPreprocess } from "../../data/preprocess.ts";
import { NetworkClassifier } from "../../model/inference/classifier.ts";
import { Network } from "../../model/network.ts";
import { createOptimizer } from "../../training/optimizer.ts";
import { costOf } from "../kernels/cost.ts";
import { noise } from "../kernels/case.ts";
import { type Rounds, timeRounds } from "./rounds.ts";
import { SyntheticTraining } from "./synthetic.ts";

/** A model as it is measured. */
export interface Subject {
  readonly model: string;
  readonly batch: number;
  /** Height and width of the input. */
  readonly size: number;
  readonly classes: number;
}

/** Speed and memory of training with the input on the device. */
export interface TrainingRow extends Subject {
  /** Of one step. */
  readonly milliseconds: number;
  readonly imagesPerSecond: number;
  /** Arithmetic of the convolutions and linear layers alone, over the whole step's time. */
  readonly gigaflops: number;
  /** Bytes in the device's buffers: parameters, gradients, optimiser, activations. */
  readonly deviceBytes: number;
  /** Resident bytes of this process; on a software adapter these hold the device's buffers too. */
  readonly residentBytes: number;
}

/** Latency and rate of inference, the input's way to the device and the logits' way back included. */
export interface InferenceRow extends Subject {
  readonly milliseconds: number;
  readonly imagesPerSecond: number;
}

/** A network with first weights. */
export function networkOf(gpu: Gpu, { model, classes, size }: Subject): Network {
  const network = new Network(gpu, architecture(model, { classes, size }));
  network.parameters.initialise(1);
  return network;
}

/** Training on one batch that stays on the device. */
export async function measureTraining(gpu: Gpu, subject: Subject, rounds: Rounds): Promise<TrainingRow> {
  using network = networkOf(gpu, subject);
  using optimizer = createOptimizer(network.parameters, { optimizer: "sgd" });
  using step = await SyntheticTraining.create(network, optimizer, syntheticBatch(subject));
  const [timed] = await timeRounds([runner(gpu, () => step.run(LEARNING_RATE))], rounds);
  const flops = step.plan.launches.reduce((sum, launch) => sum + (costOf(launch).flops ?? 0), 0);
  const milliseconds = timed!.median;
  return {
    ...subject,
    milliseconds,
    imagesPerSecond: 1000 * subject.batch / milliseconds,
    gigaflops: flops / milliseconds / 1e6,
    deviceBytes: gpu.bytes,
    residentBytes: Deno.memoryUsage().rss,
  };
}

/** Small enough that no loss grows. */
export const LEARNING_RATE = 0.001;

/** Random images and labels. */
export function syntheticBatch({ batch, size, classes }: Subject) {
  const labels = Uint32Array.from({ length: batch }, (_, i) => i % classes);
  return { values: noise(1, batch * size * size * 3), labels };
}

/** Does a step so many times and waits for the last. */
export function runner(gpu: Gpu, step: () => void): (steps: number) => Promise<void> {
  return async (steps) => {
    for (let i = 0; i < steps; i++) step();
    await gpu.settle();
  };
}

/** Inference as the server does it. */
export async function measureInference(gpu: Gpu, subject: Subject, rounds: Rounds): Promise<InferenceRow> {
  const { batch, size, classes, model } = subject;
  const network = networkOf(gpu, subject);
  const names = Array.from({ length: classes }, (_, i) => `class ${i}`);
  const card = {
    model,
    classes: names,
    preprocess: defaultPreprocess(size),
    parameters: network.parameters.count,
  };
  const classifier = new NetworkClassifier(network, card, batch, () => network[Symbol.dispose]());
  try {
    const values = noise(1, batch * 3 * size * size);
    const [timed] = await timeRounds([async (steps) => {
      for (let i = 0; i < steps; i++) await classifier.infer(values, batch);
    }], rounds);
    return { ...subject, milliseconds: timed!.median, imagesPerSecond: 1000 * batch / timed!.median };
  } finally {
    await classifier.close();
  }
}
