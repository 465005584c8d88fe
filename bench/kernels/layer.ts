/**
 * The layers of a real network as bench cases, each with the input that it has there.
 * @module
 */
import type { Plan } from "../../engine/plan.ts";
import { destroyTensor, readTensors, writeTensor } from "../../engine/tensor.ts";
import { deviation } from "../../model/init.ts";
import { deviceShape, type ParameterSpec, type Shape, type Step } from "../../model/layer.ts";
import { type Architecture, describeLayers } from "../../model/network.ts";
import { ParameterStore, product } from "../../model/parameters.ts";
import type { BenchCase } from "./case.ts";
import { checkLayer, DROPOUT, type PlacedLayer } from "./check.ts";
import { noise } from "./noise.ts";

/** The layers of a network that launch something; a ReLU that another layer computes is not among them. */
export function placedLayers(architecture: Architecture): PlacedLayer[] {
  const described = describeLayers(architecture, Infinity);
  const placed: PlacedLayer[] = [];
  let input = architecture.input, reluBefore = false;
  for (let i = 0; i < described.length; i++) {
    const { name, layer, output } = described[i]!;
    const reluAfter = layer.fusesRelu && described[i + 1]?.layer.kind === "relu";
    placed.push({ name, layer, input, output, reluBefore, reluAfter, wantInput: placed.length > 0 });
    input = output;
    // A layer that only passes its input on keeps what is known about it.
    reluBefore = reluAfter || (layer.kind === "flatten" && reluBefore);
    if (reluAfter) i++;
  }
  return placed.filter(({ layer }) => layer.kind !== "flatten");
}

/** A layer's case for images of this batch. */
export function layerCase(item: PlacedLayer, batch: number): BenchCase {
  const { name, layer, input, output } = item;
  const sizes = (s: Shape) => deviceShape(batch, s).join("x");
  return {
    name: `${name} ${layer.kind} ${sizes(input)} -> ${sizes(output)}`,
    build: (plan, owned) => buildLayer(plan, owned, item, batch),
  };
}

function buildLayer(plan: Plan, owned: DisposableStack, item: PlacedLayer, batch: number) {
  const { gpu } = plan, { layer, input, reluBefore, reluAfter, wantInput } = item;
  const { parameters: specs } = layer.describe(input, gpu.limits.maxStorageBufferBindingSize);
  const store = owned.use(new ParameterStore(gpu, specs.map((spec) => ({ name: spec.name, spec }))));
  const gradients = store.like("gradient");
  owned.defer(() => gradients.forEach((g) => g && destroyTensor(gpu, g)));
  const parameters = new Map(specs.map((spec, i) => [spec.name, firstValues(spec, i + 10)]));
  for (const [name, values] of parameters) store.write(name, values);
  const random = plan.tensor([4], "random");
  writeTensor(gpu, random, Uint32Array.of(DROPOUT.seed, 0, 0, 0));
  const shape = deviceShape(batch, input);
  const x = plan.tensor(shape, "x"),
    xValues = noise(1, product(shape)).map((v) => reluBefore ? Math.max(v, 0) : v);
  writeTensor(gpu, x, xValues);
  const step: Step = {
    gpu,
    plan,
    batch,
    training: true,
    accumulate: false,
    random,
    index: DROPOUT.layer,
    parameter: (name) => store.get(name).tensors,
    gradient: (name) => store.viewsIn(store.get(name), gradients),
  };
  const { y: { tensor: y }, backward } = layer.build(step, { tensor: x, relu: reluBefore }, reluAfter);
  const dy = plan.tensor(y.shape, "dy"), dyValues = noise(2, y.size);
  writeTensor(gpu, dy, dyValues);
  const dx = backward(dy, wantInput);
  return async () => {
    const [yValues, dxValues] = await readTensors(gpu, dx ? [y, dx] : [y]);
    const found = await store.read(undefined, gradients);
    const values = { x: xValues, dy: dyValues, y: yValues!, dx: dxValues, parameters, gradients: found };
    return checkLayer(item, batch, values);
  };
}

/** Numbers of ordinary size for a parameter; variances are positive. */
function firstValues({ shape, init }: ParameterSpec, seed: number): Float32Array<ArrayBuffer> {
  const scale = deviation(init) || 0.5;
  const values = noise(seed, product(shape)).map((v) => v * scale);
  return init.kind === "ones" ? values.map((v) => 1 + Math.abs(v)) : values;
}
