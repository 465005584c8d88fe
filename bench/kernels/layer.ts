/**
 * The layers of a real network as bench cases: each with the input that it has there, checked against its own plain-loop reference.
 * @module
 */
import type { Plan } from "../../engine/plan.ts";
import { destroyTensor, readTensors, writeTensor } from "../../engine/tensor.ts";
import { type Check, compare } from "../../engine/verify/case.ts";
import { deviation } from "../../model/init.ts";
import { type BuildContext, deviceShape, type ParameterSpec, type Shape, sizeOf } from "../../model/layer.ts";
import { type Architecture, type DescribedLayer, describeLayers } from "../../model/network.ts";
import { ParameterStore, product } from "../../model/parameters.ts";
import { type BenchCase, noise } from "./case.ts";

/** A layer in its place. */
export interface PlacedLayer extends DescribedLayer {
  /** Its input is a ReLU's output, so its input gradient is masked. */
  readonly reluBefore: boolean;
  /** The ReLU after it is computed in the same launch. */
  readonly reluAfter: boolean;
  /** False for the network's first layer, whose input needs no gradient. */
  readonly wantInput: boolean;
}

/** What dropout's mask depends on here. */
const RANDOM = { seed: 5, step: 0 } as const;

/** The layers of a network that launch something; a ReLU that another layer computes is not among them. */
export function placedLayers(architecture: Architecture): PlacedLayer[] {
  const described = describeLayers(architecture, Infinity);
  const placed: PlacedLayer[] = [];
  let reluBefore = false;
  for (let i = 0; i < described.length; i++) {
    const one = described[i]!, next = described[i + 1]?.layer;
    const reluAfter = Boolean(one.layer.fusesRelu && next?.isRelu);
    placed.push({ ...one, reluBefore, reluAfter, wantInput: placed.length > 0 });
    // A layer that only passes its input on keeps what is known about it.
    reluBefore = reluAfter || (Boolean(one.layer.passesOn) && reluBefore);
    if (reluAfter) i++;
  }
  return placed.filter(({ layer }) => !layer.passesOn);
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
  const { gpu } = plan, { layer, input, output, index, reluBefore, reluAfter, wantInput } = item;
  const specs = item.parameters;
  const store = owned.use(new ParameterStore(gpu, specs.map((spec) => ({ name: spec.name, spec }))));
  const gradients = store.zerosLike("gradient");
  owned.defer(() => gradients.forEach((g) => g && destroyTensor(gpu, g)));
  const parameters = new Map(specs.map((spec, i) => [spec.name, firstValues(spec, i + 10)]));
  for (const [name, values] of parameters) store.write(name, values);
  const random = plan.integers([4], "random");
  writeTensor(gpu, random, Uint32Array.of(RANDOM.seed, RANDOM.step, 0, 0));
  const x = plan.tensor(deviceShape(batch, input), "x");
  const xValues = noise(1, x.size).map((v) => reluBefore ? Math.max(v, 0) : v);
  writeTensor(gpu, x, xValues);
  const context: BuildContext = {
    ...{ gpu, plan, batch, random, index, training: true, accumulate: false },
    parameter: (name) => store.get(name).tensors,
    gradient: (name) => store.viewsIn(store.get(name), gradients),
    child: noContainer,
    section: (_, record) => record(),
  };
  const { y: { tensor: y }, backward } = layer.build(context, { tensor: x, relu: reluBefore }, reluAfter);
  const dy = plan.tensor(y.shape, "dy");
  // Plain loops over a whole batch take minutes, so only the gradients of two images are not zero, and those images are compared:
  // the first and the last, since a grid that is too small leaves out the end.
  const images = layer.wholeBatch ? Array.from({ length: batch }, (_, n) => n) : [...new Set([0, batch - 1])];
  const dyValues = new Float32Array(y.size), filled = noise(2, y.size), each = sizeOf(output);
  for (const n of images) dyValues.set(filled.subarray(n * each, (n + 1) * each), n * each);
  writeTensor(gpu, dy, dyValues);
  const dx = backward(dy, wantInput);
  return async (): Promise<Check[]> => {
    const [yValues, dxValues] = await readTensors(gpu, dx ? [y, dx] : [y]);
    const found = await store.read(undefined, gradients);
    const x = imagesOf(xValues, sizeOf(input), images);
    const reference = layer.reference!({
      ...{ x, n: images.length, shape: input, index, training: RANDOM },
      parameter: (name) => parameters.get(name)!,
      child: noContainer,
    });
    const wanted = Float64Array.from(reference.y, (v) => reluAfter ? Math.max(v, 0) : v);
    const { dx: dxWanted, gradients: wantedGradients = {} } = reference.backward(
      imagesOf(dyValues, each, images),
    );
    const checks = [compare("y", imagesOf(yValues!, each, images), wanted)];
    if (dxValues) {
      const masked = Float64Array.from(dxWanted, (d, i) => reluBefore && x[i]! <= 0 ? 0 : d);
      checks.push(compare("dx", imagesOf(dxValues, sizeOf(input), images), masked));
    }
    for (const { name, trained } of specs) {
      if (trained) checks.push(compare(`d${name}`, found.get(name)!, wantedGradients[name]!));
    }
    return checks;
  };
}

/** `describeLayers` opens containers, so no layer here has children. */
function noContainer(): never {
  throw new RangeError("Cannot time a container of layers");
}

/** Some images of a batch whose images have `each` values. */
function imagesOf(values: Float32Array, each: number, images: readonly number[]): Float32Array {
  const out = new Float32Array(images.length * each);
  images.forEach((n, i) => out.set(values.subarray(n * each, (n + 1) * each), i * each));
  return out;
}

/** Numbers of ordinary size for a parameter; variances are positive. */
function firstValues({ shape, init }: ParameterSpec, seed: number): Float32Array<ArrayBuffer> {
  const scale = deviation(init) || 0.5;
  const values = noise(seed, product(shape)).map((v) => v * scale);
  return init.kind === "ones" ? values.map((v) => 1 + Math.abs(v)) : values;
}
