/**
 * This project as a contender: the plans that `train` and `serve` use, with the input on the device beforehand.
 * @module
 */
import * as conv2d from "../../engine/kernels/conv2d/conv2d.ts";
import type { Gpu } from "../../engine/gpu.ts";
import { Plan } from "../../engine/plan.ts";
import { readTensor, writeTensor } from "../../engine/tensor.ts";
import { architecture } from "../../model/architectures/registry.ts";
import { defaultPreprocess } from "../../data/preprocess.ts";
import type { ModelCard } from "../../model/checkpoint/card.ts";
import { NetworkClassifier } from "../../model/inference/classifier.ts";
import { Network } from "../../model/network.ts";
import { createOptimizer } from "../../training/step/optimizer.ts";
import { SyntheticTraining } from "../steps/steps.ts";
import { requestTunedGpu } from "../../model/tuned_gpu.ts";
import { serveContender, type Work } from "./protocol.ts";
import {
  channelsLast,
  classesOf,
  COMPARED_STEPS,
  factors,
  images,
  labels,
  LEARNING_RATE,
  type Task,
} from "./workload.ts";

type NetworkTask = Task & { kind: "training" | "inference" };

function network(gpu: Gpu, { model, size }: NetworkTask): Network {
  const net = new Network(gpu, architecture(model, { classes: classesOf(model), size, dropout: 0 }));
  net.parameters.initialise(1);
  return net;
}

async function training(gpu: Gpu, task: NetworkTask): Promise<Work> {
  const { model, batch, size } = task;
  const net = network(gpu, task);
  const optimizer = createOptimizer(net.parameters, { optimizer: "sgd", momentum: 0 });
  const step = await SyntheticTraining.create(net, optimizer, {
    values: channelsLast(images(batch, size), batch, { c: 3, h: size, w: size }),
    labels: Uint32Array.from(labels(batch, classesOf(model))),
  });
  const answer: number[] = [];
  for (let i = 0; i < COMPARED_STEPS; i++) {
    step.run(LEARNING_RATE);
    answer.push(await step.loss());
  }
  return {
    answer,
    async run(steps) {
      for (let i = 0; i < steps; i++) step.run(LEARNING_RATE);
      await gpu.settle();
    },
  };
}

async function inference(gpu: Gpu, task: NetworkTask): Promise<Work> {
  const { model, batch, size } = task;
  const net = network(gpu, task);
  const card: ModelCard = {
    model,
    classes: Array.from({ length: classesOf(model) }, (_, i) => `class ${i}`),
    preprocess: defaultPreprocess(size),
    parameters: net.parameters.count,
  };
  const classifier = new NetworkClassifier(net, card, batch);
  const values = images(batch, size);
  return {
    answer: [...await classifier.infer(values, batch)],
    async run(steps) {
      for (let i = 0; i < steps; i++) await classifier.infer(values, batch);
    },
  };
}

async function product(gpu: Gpu, size: number): Promise<Work> {
  const [a, b] = factors(size);
  const plan = new Plan(gpu, "product");
  const x = plan.tensor([size, 1, 1, size], "x"), weight = plan.tensor([1, 1, size, size], "weight");
  const y = conv2d.forward(plan, { x, weight });
  // The other way round, so that every product is of the last one: what takes the place of y writes to x.
  const back = new Plan(gpu, "product back");
  const again = conv2d.forward(back, { x: y, weight });
  back.add(
    ...back.launches.splice(0).map((launch) => ({
      ...launch,
      tensors: launch.tensors.map((tensor) => tensor === again ? x : tensor),
    })),
  );
  await plan.compile();
  await back.compile();
  writeTensor(gpu, x, a);
  writeTensor(gpu, weight, b);
  plan.run();
  let done = 1;
  return {
    answer: [...(await readTensor(gpu, y)).subarray(0, 64)],
    async run(steps) {
      for (let i = 0; i < steps; i++) (done++ % 2 === 0 ? plan : back).run();
      await gpu.settle();
    },
  };
}

/** Makes a task ready on the device. */
export function prepareOurs(gpu: Gpu, task: Task): Promise<Work> {
  switch (task.kind) {
    case "training":
      return training(gpu, task);
    case "inference":
      return inference(gpu, task);
    case "product":
      return product(gpu, task.size);
  }
}

if (import.meta.main) {
  // With the tiles that `deno task tune` has found, if it was run: as `train` works.
  const gpu = await requestTunedGpu();
  await serveContender("alexnet-webgpu", (task) => prepareOurs(gpu, task));
}
