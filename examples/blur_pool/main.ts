/**
 * A network with that layer: its gradients are held against plain loops on this machine's adapter, then it learns to tell bright from
 * dark images. Run it from a folder of your own: README.md beside this file says how.
 */
import { Gpu, Plan, writeTensor } from "@alexnet-webgpu/alexnet-webgpu/engine";
import {
  type Architecture,
  conv2d,
  flatten,
  linear,
  Network,
  referenceStep,
  relu,
  TrainingStep,
} from "@alexnet-webgpu/alexnet-webgpu/model";
import { createOptimizer } from "@alexnet-webgpu/alexnet-webgpu/training";
import { blurPool } from "./blur_pool.ts";

const BATCH = 8, SIZE = 15;
const architecture: Architecture = {
  name: "blurred",
  input: { c: 3, h: SIZE, w: SIZE },
  layers: [
    { name: "conv", layer: conv2d({ in: 3, out: 6, kernel: 3 }) },
    { name: "relu", layer: relu() },
    { name: "blur", layer: blurPool() },
    { name: "flatten", layer: flatten() },
    { name: "fc", layer: linear({ in: 6 * 7 * 7, out: 2 }) },
  ],
};

using gpu = await Gpu.request();
using network = new Network(gpu, architecture);
network.parameters.initialise(1);
using plan = new Plan(gpu, "step"), update = new Plan(gpu, "update");
using step = new TrainingStep(plan, network, { batch: BATCH });
using optimizer = createOptimizer(network.parameters, { optimizer: "adam", betas: [0.9, 0.99] });
optimizer.build(update, step.gradients, step.params);
await plan.compile();
await update.compile();

// Half of the images are brighter than the others.
const labels = Array.from({ length: BATCH }, (_, i) => i % 2);
const pixels = 3 * SIZE * SIZE;
const images = Float32Array.from(
  { length: BATCH * pixels },
  (_, i) => Math.sin(i * 12.9898) + (labels[Math.floor(i / pixels)] ? 0.3 : -0.3),
);
writeTensor(gpu, step.x, images);
step.writeLabels(labels);

const before = await network.parameters.read();
const wanted = referenceStep(architecture, before, images, labels, { seed: 0, step: 0 });
step.writeParams({ lr: 0.01, gradScale: 1, step: 1 });
plan.run();
for (const [name, gradient] of await step.readGradients()) {
  const expected = wanted.gradients.get(name)!;
  const size = Math.hypot(...expected),
    error = Math.hypot(...expected.map((v, i) => v - gradient[i]!)) / size;
  console.log(`d ${name}: normalised error ${error.toExponential(1)}`);
  if (!(error < 1e-5)) throw new Error(`the gradient of ${name} is wrong`);
}

const first = await step.loss();
for (let number = 1; number <= 30; number++) {
  step.writeParams({ lr: 0.01, gradScale: 1, step: number });
  plan.run();
  update.run();
}
plan.run();
const last = await step.loss();
console.log(`loss ${first.toFixed(4)} -> ${last.toFixed(4)} on ${gpu.name}`);
if (!(last < first / 4)) throw new Error("it has not learned");
