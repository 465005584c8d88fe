/**
 * Whole steps of a model, training and inference, timed in rounds that take turns; and the memory they take.
 * @module
 */
import type { Gpu } from "../../engine/gpu.ts";
import { Plan } from "../../engine/plan.ts";
import { median } from "../../engine/profile.ts";
import { writeTensor } from "../../engine/tensor.ts";
import { architecture } from "../../model/architectures/registry.ts";
import { defaultPreprocess } from "../../data/preprocess.ts";
import { NetworkClassifier } from "../../model/inference/classifier.ts";
import { Network } from "../../model/network.ts";
import { TrainingStep } from "../../model/training_step.ts";
import { createOptimizer, type Optimizer } from "../../training/step/optimizer.ts";
import { noise } from "../kernels/cases.ts";
import { costOf } from "../kernels/ceilings.ts";

/** Does so many steps and resolves when the device has finished them. */
export type Runner = (steps: number) => Promise<void>;

/** How long to measure. */
export interface Rounds {
  /** Rounds, of which medians are taken. */
  readonly rounds: number;
  /** What a round should take. */
  readonly milliseconds: number;
  /** Most steps of a round. */
  readonly most?: number;
}

/** One runner's rounds. */
export interface Timed {
  /** Milliseconds of one step, one number a round. */
  readonly milliseconds: readonly number[];
  readonly median: number;
  /** Steps in each round. */
  readonly steps: number;
}

/** Steps that fill a round of `milliseconds` when one takes `one`; 1 to `most`. */
export function stepsPerRound(one: number, milliseconds: number, most = 1000): number {
  return Math.max(1, Math.min(most, Math.round(milliseconds / one)));
}

/** Times the runners in turn, round by round, after one step each that is dropped and one that tells how many fill a round. */
export async function timeRounds(
  runners: readonly Runner[],
  { rounds, milliseconds, most }: Rounds,
): Promise<Timed[]> {
  const taking: { run: Runner; steps: number; milliseconds: number[] }[] = [];
  for (const run of runners) {
    await run(1);
    taking.push({ run, steps: stepsPerRound(await timed(run, 1), milliseconds, most), milliseconds: [] });
  }
  for (let round = 0; round < rounds; round++) {
    for (const { run, steps, milliseconds } of taking) milliseconds.push(await timed(run, steps) / steps);
  }
  return taking.map(({ milliseconds, steps }) => ({ milliseconds, steps, median: median(milliseconds) }));
}

/** The median over rounds of how many times as long one takes as the other. */
export function ratioOf(one: Timed, other: Timed): number {
  return median(one.milliseconds.map((ms, round) => ms / other.milliseconds[round]!));
}

async function timed(run: Runner, steps: number): Promise<number> {
  const start = performance.now();
  await run(steps);
  return performance.now() - start;
}

/** One fixed batch: values [N, H, W, 3] and labels. */
export interface SyntheticBatch {
  readonly values: Float32Array;
  readonly labels: Uint32Array;
}

/** A training step and its update whose input already lies on the device; borrows network and optimiser. */
export class SyntheticTraining implements Disposable {
  readonly plan: Plan;
  readonly #training: TrainingStep;
  #step = 0;

  private constructor(network: Network, optimizer: Optimizer, batch: number) {
    this.plan = new Plan(network.gpu, "synthetic step");
    this.#training = new TrainingStep(this.plan, network, { batch });
    optimizer.build(this.plan, this.#training.gradients, this.#training.params);
  }

  /** Builds and compiles the step and uploads its batch. */
  static async create(
    network: Network,
    optimizer: Optimizer,
    { values, labels }: SyntheticBatch,
  ): Promise<SyntheticTraining> {
    const synthetic = new SyntheticTraining(network, optimizer, labels.length);
    try {
      await synthetic.plan.compile();
    } catch (error) {
      synthetic[Symbol.dispose]();
      throw error;
    }
    writeTensor(network.gpu, synthetic.#training.x, values);
    synthetic.#training.writeLabels(labels);
    return synthetic;
  }

  /** Submits one step; returns without waiting for the device. */
  run(learningRate: number): void {
    this.#training.writeParams({ lr: learningRate, gradScale: 1, step: ++this.#step });
    this.plan.run();
  }

  /** Waits for the steps so far; the last one's mean loss. */
  loss(): Promise<number> {
    return this.#training.loss();
  }

  /** Frees the plan and the gradients. */
  [Symbol.dispose](): void {
    this.#training[Symbol.dispose]();
    this.plan[Symbol.dispose]();
  }
}

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
export function syntheticBatch({ batch, size, classes }: Subject): SyntheticBatch {
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
  const classifier = new NetworkClassifier(network, card, batch, {
    release: () => network[Symbol.dispose](),
  });
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
