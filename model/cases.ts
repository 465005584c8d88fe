/**
 * Whole networks: every gradient of a training step against plain loops, and training that repeats itself bit by bit.
 * @module
 */
import { hash } from "../engine/random.ts";
import type { Gpu } from "../engine/gpu.ts";
import { sgdStep } from "../engine/kernels/optimizer/sgd.ts";
import { softmaxCrossEntropy } from "../engine/kernels/softmax_cross_entropy/softmax_cross_entropy.ts";
import { Plan } from "../engine/plan.ts";
import { destroyTensor, readTensor, type Tensor, writeTensor } from "../engine/tensor.ts";
import { architecture } from "./architectures/alexnet.ts";
import { type Architecture, Network } from "./network.ts";
import { type Case, type Check, compare, normalisedError } from "../engine/verify/case.ts";
import { upload, uploadIntegers } from "../engine/verify/device.ts";
import { plainStep, toPlain } from "./plain_network.ts";
import { normals } from "../engine/verify/sample.ts";

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
  readonly loss: Float32Array;
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
  const rows = batch.labels.length, classes = model.output.c;
  const gradients = model.parameters.like("gradient"), velocities = model.parameters.like("velocity");
  try {
    const { h, w, c } = network.input;
    const x = upload(plan, "images", { shape: [rows, h, w, c], data: batch.images });
    const labels = uploadIntegers(plan, "labels", batch.labels), result = plan.tensor([rows, 4], "result");
    const random = uploadIntegers(plan, "random", Uint32Array.of(problem.seed, 1, 0, 0));
    const ones = upload(plan, "class weights", { shape: [classes], data: new Float32Array(classes).fill(1) });
    const hyper = plan.tensor([4], "hyper");
    model.buildTraining(plan, x, (logits) => {
      const dLogits = plan.tensor(logits.shape, "dLogits");
      const flat = (t: Tensor): Tensor => ({ ...t, shape: [rows, classes] });
      plan.add(softmaxCrossEntropy({
        logits: flat(logits),
        target: { labels },
        classWeights: ones,
        dLogits: flat(dLogits),
        result,
      }));
      return dLogits;
    }, { gradients, random });
    model.parameters.arenas.forEach(({ values }, i) => {
      if (gradients[i]) plan.add(sgdStep(values, gradients[i], velocities[i]!, hyper, { momentum: 0.9 }));
    });
    await plan.compile();
    for (let step = 1; step <= steps; step++) {
      writeTensor(gpu, hyper, Float32Array.of(0.01, 1, step, 0));
      plan.run();
    }
    return {
      loss: (await readTensor(gpu, result)).filter((_, i) => i % 4 === 0),
      gradients: await model.parameters.read(undefined, gradients),
      before,
      parameters: await model.parameters.read(),
    };
  } finally {
    for (const tensor of [...gradients, ...velocities]) if (tensor) destroyTensor(gpu, tensor);
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
      const wanted = plainStep(network, toPlain(network, before), batch.images, batch.labels);
      const checks = [compare("loss", [loss.reduce((a, b) => a + b, 0)], [wanted.loss])];
      for (const [name, values] of toPlain(network, gradients)) {
        const expected = wanted.gradients.get(name);
        if (!expected) continue;
        const weight = wanted.gradients.get(name.replace(/bias$/, "weight"))!;
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
