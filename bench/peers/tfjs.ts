/**
 * TensorFlow.js on its WebGPU backend, as its documentation advises: channels last, fused convolution, bias and ReLU
 * where the library can fuse them, the library's own SGD (`minimize`: `variableGrads`, `applyGradients` and a tidy around
 * both), the input on the device beforehand, and no value read before the end of a round.
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import type { WebGPUBackend } from "@tensorflow/tfjs-backend-webgpu";
import "@tensorflow/tfjs-backend-webgpu";
import { serveContender, type Work } from "./protocol.ts";
import {
  channelsLast,
  channelsLastFilter,
  classesOf,
  COMPARED_STEPS,
  factors,
  images,
  labels,
  LEARNING_RATE,
  networkLayers,
  type PeerLayer,
  type Task,
  transposed,
} from "./workload.ts";

type Forward = (x: tf.Tensor4D) => tf.Tensor2D;

/** A layer as TensorFlow.js has it, channels last. */
export function layer(l: PeerLayer): (x: tf.Tensor) => tf.Tensor {
  const activation = l.relu ? "relu" as const : "linear" as const;
  const { kernel = 1, stride = 1, padding = 0, size = 1 } = l.options as Record<string, number>;
  switch (l.kind) {
    case "conv2d": {
      const [o, i, kh, kw] = l.weight!.shape as [number, number, number, number];
      const filter = tf.variable(
        tf.tensor4d(channelsLastFilter(l.weight!.values, l.weight!.shape), [kh, kw, i, o]),
      );
      const bias = tf.variable(tf.tensor1d(l.bias!));
      return (x) =>
        tf.fused.conv2d({ x: x as tf.Tensor4D, filter, strides: stride, pad: padding, bias, activation });
    }
    case "linear":
      return linear(l, activation);
    case "max_pool":
      return (x) => tf.maxPool(x as tf.Tensor4D, kernel, stride, padding);
    case "adaptive_avg_pool":
      if (l.input.h !== size) {
        throw new Error("Cannot build: only an average pool that changes nothing is known");
      }
      return (x) => x;
    case "flatten":
      return (x) => x.reshape([x.shape[0]!, -1]);
    default:
      throw new Error(`Cannot build layer ${l.kind}: the comparison has no such layer`);
  }
}

/** A weight that is larger than a storage binding (fc6 of AlexNet is 144 MiB) gives zeros, so it is split by outputs. */
function linear(l: PeerLayer, activation: "relu" | "linear"): (x: tf.Tensor) => tf.Tensor {
  const [out, inputs] = l.weight!.shape as [number, number];
  // The library's activations have channels last, so a flattened image has its features in another order.
  const rows = channelsLast(l.weight!.values, out, l.input.flattened ?? { c: inputs, h: 1, w: 1 });
  const { device } = tf.backend() as WebGPUBackend;
  const parts = Math.ceil(rows.byteLength / device.limits.maxStorageBufferBindingSize),
    width = Math.ceil(out / parts);
  const layers = Array.from({ length: parts }, (_, part) => {
    const first = part * width, last = Math.min(out, first + width);
    const values = transposed(rows.subarray(first * inputs, last * inputs), last - first, inputs);
    const weight = tf.variable(tf.tensor2d(values, [inputs, last - first]));
    return { weight, bias: tf.variable(tf.tensor1d(l.bias!.subarray(first, last))) };
  });
  return (x) => {
    const a = x as tf.Tensor2D;
    const outputs = layers.map(({ weight, bias }) => tf.fused.matMul({ a, b: weight, bias, activation }));
    return outputs.length === 1 ? outputs[0]! : tf.concat(outputs, 1);
  };
}

function network(model: string, size: number): Forward {
  const layers = networkLayers(model, size).map(layer);
  return (x) => layers.reduce((y: tf.Tensor, f) => f(y), x) as tf.Tensor2D;
}

async function training(task: Task & { kind: "training" | "inference" }): Promise<Work> {
  const { model, batch, size } = task;
  const forward = network(model, size), classes = classesOf(model);
  const shape = { c: 3, h: size, w: size };
  const x = tf.tensor4d(channelsLast(images(batch, size), batch, shape), [batch, size, size, 3]);
  const y = tf.oneHot(tf.tensor1d(labels(batch, classes), "int32"), classes) as tf.Tensor2D;
  const optimizer = tf.train.sgd(LEARNING_RATE);
  // `variableGrads`, `applyGradients` and disposal in one; everything but the loss is freed.
  const step = (wanted: boolean) =>
    optimizer.minimize(() => tf.losses.softmaxCrossEntropy(y, forward(x)), wanted);
  const answer: number[] = [];
  for (let i = 0; i < COMPARED_STEPS; i++) {
    const loss = step(true)!;
    answer.push((await loss.data())[0]!);
    loss.dispose();
  }
  const last = Object.values(tf.engine().registeredVariables).at(-1)!;
  return {
    answer,
    async run(steps) {
      for (let i = 0; i < steps; i++) step(false);
      await last.data();
    },
  };
}

async function inference({ model, batch, size }: Task & { kind: "training" | "inference" }): Promise<Work> {
  const forward = network(model, size);
  const values = channelsLast(images(batch, size), batch, { c: 3, h: size, w: size });
  const predict = async () => {
    const logits = tf.tidy(() => forward(tf.tensor4d(values, [batch, size, size, 3])));
    const answer = await logits.data();
    logits.dispose();
    return answer;
  };
  return {
    answer: [...await predict()],
    async run(steps) {
      for (let i = 0; i < steps; i++) await predict();
    },
  };
}

async function product(size: number): Promise<Work> {
  const [a, b] = factors(size).map((values) => tf.tensor2d(values, [size, size])) as [
    tf.Tensor2D,
    tf.Tensor2D,
  ];
  const first = tf.matMul(a, b);
  const answer = [...(await first.data()).subarray(0, 64)];
  let x = first;
  return {
    answer,
    async run(steps) {
      for (let i = 0; i < steps; i++) {
        const next = tf.matMul(x, b);
        x.dispose();
        x = next;
      }
      const corner = tf.slice(x, [0, 0], [1, 1]);
      await corner.data();
      corner.dispose();
    },
  };
}

/** Chooses the library's WebGPU backend; throws where it does not start. */
export async function startTfjs(): Promise<void> {
  if (!await tf.setBackend("webgpu")) {
    throw new Error("Cannot start TensorFlow.js: it has no WebGPU backend here");
  }
}

if (import.meta.main) {
  await startTfjs();
  await serveContender(`tfjs-webgpu ${tf.version["tfjs-core"]}`, (task) => {
    switch (task.kind) {
      case "training":
        return training(task);
      case "inference":
        return inference(task);
      case "product":
        return product(task.size);
    }
  });
}
