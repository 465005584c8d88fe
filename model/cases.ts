/**
 * Whole networks: every gradient of a training step against plain loops, and training that repeats itself bit by bit.
 * @module
 */
import type { Gpu } from "../engine/device.ts";
import { KERNEL_CASES } from "../engine/kernels/cases.ts";
import { sgd } from "../engine/kernels/optimizer/optimizer.ts";
import { Plan } from "../engine/plan.ts";
import { hash } from "../engine/random.ts";
import { destroyTensor, writeTensor } from "../engine/tensor.ts";
import { type Case, type Check, compare, normalisedError } from "../engine/verify/case.ts";
import { normals } from "../engine/verify/sample.ts";
import { architecture } from "./architectures/registry.ts";
import { type Architecture, Network } from "./network.ts";
import { referenceStep } from "./reference_network.ts";
import { TrainingStep } from "./training_step.ts";

/** Images and labels of a batch. */
export interface Batch {
  readonly images: Float32Array;
  readonly labels: Uint32Array;
}

/** A network on random images; the seed also draws its parameters. */
export interface NetworkProblem {
  readonly model: string;
  readonly size: number;
  readonly rows: number;
  readonly seed: number;
}

const CLASSES = 3;

/**
 * The problems of the gradient cases. With these seeds no ReLU or pooling is near a tie, so that float32 decides as
 * float64 does, on any adapter.
 */
export const NETWORK_PROBLEMS: readonly NetworkProblem[] = [
  { model: "compact", size: 224, rows: 2, seed: 8 },
  { model: "compact-bn", size: 224, rows: 2, seed: 7 },
  { model: "compact-res", size: 64, rows: 2, seed: 4 },
  { model: "resnet18", size: 33, rows: 4, seed: 2 },
];

/** The architecture and a batch of random images as the network takes them, [N, H, W, C]. */
export function networkProblem({ model, size, rows, seed }: NetworkProblem): {
  network: Architecture;
  batch: Batch;
} {
  const network = architecture(model, { classes: CLASSES, size });
  const { h, w, c } = network.input;
  const labels = Uint32Array.from({ length: rows }, (_, i) => hash(seed, 0x7e5a, i) % CLASSES);
  return { network, batch: { images: normals(seed, [rows, h, w, c]).data, labels } };
}

/** What a few steps of training leave behind; parameters and gradients by name, in PyTorch's order. */
interface Trained {
  readonly loss: number;
  readonly gradients: ReadonlyMap<string, Float32Array>;
  readonly before: ReadonlyMap<string, Float32Array>;
  readonly parameters: ReadonlyMap<string, Float32Array>;
}

/** Trains a fresh network for `steps` steps on one batch by SGD with momentum. */
async function train(gpu: Gpu, problem: NetworkProblem, steps: number): Promise<Trained> {
  const { network, batch } = networkProblem(problem);
  using model = new Network(gpu, network);
  using plan = new Plan(gpu, `check ${network.name}`);
  model.parameters.initialise(problem.seed);
  const before = await model.parameters.read();
  using step = new TrainingStep(plan, model, { batch: batch.labels.length });
  const velocities = model.parameters.zerosLike("velocity");
  try {
    const { params } = step;
    model.parameters.arenas.forEach(({ values: parameter }, i) => {
      const gradient = step.gradients[i], velocity = velocities[i];
      if (gradient && velocity) sgd(plan, { parameter, gradient, velocity, params }, { momentum: 0.9 });
    });
    await plan.compile();
    writeTensor(gpu, step.x, batch.images);
    step.writeLabels(batch.labels);
    step.writeRandom(problem.seed, 1);
    for (let number = 1; number <= steps; number++) {
      step.writeParams({ lr: 0.01, gradScale: 1, step: number });
      plan.run();
    }
    return {
      loss: await step.loss(),
      gradients: await step.readGradients(),
      before,
      parameters: await model.parameters.read(),
    };
  } finally {
    for (const tensor of velocities) if (tensor) destroyTensor(gpu, tensor);
  }
}

const nameOf = ({ model, size, rows }: NetworkProblem) => `${model} at ${size}x${size}, batch ${rows}`;

function gradient(problem: NetworkProblem): Case {
  return {
    op: "network",
    name: `${nameOf(problem)}: every gradient`,
    async run(gpu) {
      const { network, batch } = networkProblem(problem);
      const { loss, gradients, before } = await train(gpu, problem, 1);
      const training = { seed: problem.seed, step: 1 };
      const wanted = referenceStep(network, before, batch.images, batch.labels, training);
      const checks = [compare("loss", [loss], [wanted.loss])];
      for (const [name, values] of gradients) {
        const expected = wanted.gradients.get(name);
        if (!expected) continue;
        const weight = wanted.gradients.get(name.replace(/bias$/, "weight")) ?? expected;
        // Before a batch normalisation a bias has no effect: its gradient is zero but for rounding.
        const vanishes = norm(expected) < 1e-9 * norm(weight);
        if (vanishes) {
          const error = norm(values) / norm(weight);
          checks.push({ quantity: `d${name}, 0 beside the weight's`, error, tolerance: 1e-5 });
        } else checks.push(compare(`d${name}`, values, expected));
      }
      if (checks.length !== wanted.gradients.size + 1) {
        throw new Error(`${problem.model} has parameters without gradient`);
      }
      return checks;
    },
  };
}

function norm(values: ArrayLike<number>): number {
  return normalisedError(values, new Float32Array(values.length));
}

/** Training must repeat exactly, or no run could be resumed or compared. */
function repeat(problem: NetworkProblem): Case {
  return {
    op: "network",
    name: `${nameOf(problem)}: two steps twice`,
    async run(gpu) {
      const first = await train(gpu, problem, 2), second = await train(gpu, problem, 2);
      let different = 0, moved = 0;
      for (const [name, values] of first.parameters) {
        const again = new Uint32Array(second.parameters.get(name)!.buffer),
          bits = new Uint32Array(values.buffer);
        bits.forEach((b, i) => different += Number(b !== again[i]));
        values.forEach((v, i) => moved += Number(v !== first.before.get(name)![i]));
      }
      const checks: Check[] = [
        { quantity: "parameters that differ in some bit", error: different, tolerance: 0 },
        { quantity: "runs that changed nothing", error: Number(moved === 0), tolerance: 0 },
      ];
      return checks;
    },
  };
}

/** Cases of whole networks. */
export const networkCases: readonly Case[] = [
  ...NETWORK_PROBLEMS.map(gradient),
  ...NETWORK_PROBLEMS.map(repeat),
];

/** Every case there is, grouped by operation. */
export const ALL_CASES: readonly Case[] = [...KERNEL_CASES, ...networkCases];

/** Two cases of each operation and no network: for adapters that are slow, and for a first look. */
export const QUICK_CASES: readonly Case[] = [
  ...Map.groupBy(KERNEL_CASES, ({ op }) => op).values().flatMap((cases) => cases.slice(0, 2)),
];
