/**
 * jax-js on its WebGPU device, as its documentation advises: the whole step (loss, gradients, update) is one `jit`
 * function, arrays are handed over by reference count so that memory is freed at once, the input is on the device
 * beforehand, and nothing is waited for before the end of a round.
 * @module
 */
import {
  blockUntilReady,
  defaultDevice,
  init,
  jit,
  type JsTree,
  lax,
  nn,
  numpy as np,
  tree,
  valueAndGrad,
} from "@jax-js/jax";
import { serveContender, type Work } from "./protocol.ts";
import {
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

type Parameters = { weight: np.Array; bias: np.Array }[];
type Forward = (parameters: Parameters, x: np.Array) => np.Array;

/** What a layer does; `take` gives the layer's parameters. */
function layer(l: PeerLayer): (x: np.Array, take: () => Parameters[number]) => np.Array {
  const { kernel = 1, stride = kernel, padding = 0, size = 1 } = l.options as Record<string, number>;
  const activate = (y: np.Array) => l.relu ? nn.relu(y) : y;
  switch (l.kind) {
    case "conv2d":
      return (x, take) => {
        const { weight, bias } = take();
        const pad: [number, number] = [padding, padding];
        return activate(lax.convGeneralDilated(x, weight, [stride, stride], [pad, pad]).add(bias));
      };
    case "linear":
      return (x, take) => {
        const { weight, bias } = take();
        return activate(np.dot(x, weight).add(bias));
      };
    case "max_pool":
      return (x) => lax.reduceWindow(x, np.max, [kernel, kernel], [stride, stride]);
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

function network(model: string, size: number): { parameters: Parameters; forward: Forward } {
  const described = networkLayers(model, size);
  const layers = described.map(layer);
  const parameters = described.filter((l) => l.weight).map(({ kind, weight, bias }) => {
    const [out, inputs] = weight!.shape as [number, number];
    return kind === "linear"
      ? {
        weight: np.array(transposed(weight!.values, out, inputs)).reshape([inputs, out]),
        bias: np.array(bias! as Float32Array<ArrayBuffer>),
      }
      : {
        weight: np.array(weight!.values as Float32Array<ArrayBuffer>).reshape([...weight!.shape]),
        bias: np.array(bias! as Float32Array<ArrayBuffer>).reshape([out, 1, 1]),
      };
  });
  const forward: Forward = (parameters, x) => {
    let at = 0;
    return layers.reduce((y, f) => f(y, () => parameters[at++]!), x);
  };
  return { parameters, forward };
}

async function training({ model, batch, size }: Task & { kind: "training" | "inference" }): Promise<Work> {
  const { parameters: first, forward } = network(model, size);
  const classes = classesOf(model);
  const x = np.array(images(batch, size)).reshape([batch, 3, size, size]);
  const y = nn.oneHot(np.array(labels(batch, classes)), classes);
  const loss = (parameters: Parameters, x: np.Array, y: np.Array) =>
    nn.logSoftmax(forward(parameters, x)).mul(y).sum().mul(-1 / batch);
  const step = jit((parameters: Parameters, x: np.Array, y: np.Array): [np.Array, Parameters] => {
    const [value, gradients] = valueAndGrad(loss)(tree.ref(parameters), x, y) as [np.Array, Parameters];
    const updated = parameters.map(({ weight, bias }, i) => ({
      weight: weight.sub(gradients[i]!.weight.mul(LEARNING_RATE)),
      bias: bias.sub(gradients[i]!.bias.mul(LEARNING_RATE)),
    }));
    return [value, updated];
  });
  let parameters = first;
  const advance = () => {
    const [value, updated] = step(parameters, x.ref, y.ref) as [np.Array, Parameters];
    parameters = updated;
    return value;
  };
  const answer: number[] = [];
  for (let i = 0; i < COMPARED_STEPS; i++) answer.push((await advance().data())[0]!);
  return {
    answer,
    async run(steps) {
      for (let i = 0; i < steps; i++) advance().dispose();
      await blockUntilReady(parameters as JsTree<np.Array>);
    },
  };
}

async function inference({ model, batch, size }: Task & { kind: "training" | "inference" }): Promise<Work> {
  const { parameters, forward } = network(model, size);
  const compiled = jit(forward);
  const values = images(batch, size);
  const predict = () =>
    compiled(tree.ref(parameters), np.array(values).reshape([batch, 3, size, size])).data();
  return {
    answer: [...await predict()] as number[],
    async run(steps) {
      for (let i = 0; i < steps; i++) await predict();
    },
  };
}

async function product(size: number): Promise<Work> {
  const [a, b] = factors(size).map((values) => np.array(values).reshape([size, size])) as [
    np.Array,
    np.Array,
  ];
  const multiply = jit((a: np.Array, b: np.Array) => np.matmul(a, b));
  let x: np.Array = multiply(a, b.ref);
  const answer = [...(await x.ref.data()).subarray(0, 64)] as number[];
  return {
    answer,
    async run(steps) {
      for (let i = 0; i < steps; i++) x = multiply(x, b.ref);
      await blockUntilReady(x);
    },
  };
}

await init("webgpu");
defaultDevice("webgpu");
await serveContender("jax-js 0.1.25", (task) => {
  switch (task.kind) {
    case "training":
      return training(task);
    case "inference":
      return inference(task);
    case "product":
      return product(task.size);
  }
});
