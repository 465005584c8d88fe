/**
 * The layers of a real network as bench cases, each a network of its own with the input that the layer has there.
 *
 * All that a launch writes is compared with the plain float64 loops, which are too slow for a batch of a real layer. So the batch
 * repeats two images in a random order, and the loops compute those two: every image counts in the gradients of the parameters, and one
 * that is taken for another shows. Where two would take the loops more than about five seconds, it is one, at half of the places, with
 * a gradient of zero for what stands elsewhere. Layers that mix images are computed whole.
 * @module
 */
import type { Plan } from "../../engine/plan.ts";
import { hash } from "../../engine/random.ts";
import { destroyTensor, readTensors, type Tensor, writeTensor } from "../../engine/tensor.ts";
import { type Check, compare } from "../../engine/verify/case.ts";
import { deviation } from "../../model/init.ts";
import {
  deviceShape,
  joinNames,
  type Layer,
  type NamedLayer,
  type ParameterSpec,
  type Shape,
} from "../../model/layer.ts";
import { flatten } from "../../model/layers/flatten.ts";
import { relu } from "../../model/layers/relu.ts";
import { type Architecture, describeNetwork, Network } from "../../model/network.ts";
import { product } from "../../model/parameters.ts";
import { referenceNetwork } from "../../model/reference_network.ts";
import { type BenchCase, type BuiltCase, noise } from "./cases.ts";

/** A layer in its place. */
export interface PlacedLayer extends NamedLayer {
  readonly input: Shape;
  /** Its input is a ReLU's output, so its input gradient is masked. */
  readonly reluBefore: boolean;
  /** The ReLU after it is computed in the same launch. */
  readonly reluAfter: boolean;
  /** False for the network's first layer, whose input needs no gradient. */
  readonly wantInput: boolean;
}

/** The layers of a network that launch something; a ReLU that another layer computes is not among them. */
export function placedLayers(architecture: Architecture): PlacedLayer[] {
  const placed: PlacedLayer[] = [];
  /** Returns whether the output is a ReLU's. */
  const visit = (
    { name, layer, input }: NamedLayer & { input: Shape },
    before: boolean,
    after: boolean,
  ): boolean => {
    const children = layer.children?.(input);
    if (!children) {
      if (!layer.passesOn) {
        const wantInput = placed.length > 0;
        placed.push({ name, layer, input, reluBefore: before, reluAfter: after, wantInput });
      }
      return after || layer.isRelu === true || layer.passesOn === true && before;
    }
    let state = before;
    for (let i = 0; i < children.length; i++) {
      const child = children[i]!, chain = layer.kind === "sequential";
      const next = children[i + 1]?.layer.isRelu;
      const fused = chain && child.layer.fusesRelu === true && (next ?? after);
      // Children of anything but a chain all have the container's own input.
      state = visit({ ...child, name: joinNames(name, child.name) }, chain ? state : before, fused);
      if (fused && next) i++;
    }
    return layer.kind === "sequential" ? state : after;
  };
  visit(
    { name: "", layer: describeNetwork(architecture, Infinity).root, input: architecture.input },
    false,
    false,
  );
  return placed;
}

/** A layer's case for images of this batch. */
export function layerCase(item: PlacedLayer, batch: number): BenchCase {
  const { name, layer, input } = item;
  const sizes = (s: Shape) => deviceShape(batch, s).join("x");
  return {
    name: `${name} ${layer.kind} ${sizes(input)} -> ${sizes(layer.describe(input, Infinity).output)}`,
    build: (plan, owned) => buildLayer(plan, owned, item, batch),
  };
}

/** What dropout's mask depends on here. */
const RANDOM = { seed: 5, step: 0 } as const;

function buildLayer(plan: Plan, owned: DisposableStack, item: PlacedLayer, batch: number): BuiltCase {
  const { gpu } = plan, { name, layer, reluBefore, reluAfter, wantInput } = item;
  // A flattened input comes from a flatten, which launches nothing.
  const { flattened } = item.input, input = flattened ?? item.input;
  const alone: Architecture = {
    name: layer.kind,
    input,
    layers: [
      ...reluBefore ? [{ name: "relu before", layer: relu() }] : [],
      ...flattened ? [{ name: "flatten", layer: flatten() }] : [],
      { name, layer },
    ],
  };
  const after = reluAfter ? [{ name: "relu after", layer: relu() }] : [];
  const layers = [...alone.layers, ...after, { name: "end", layer: maskedAlready() }];
  const network = owned.use(new Network(gpu, { ...alone, layers }));
  const gradients = network.parameters.zerosLike("gradient");
  owned.defer(() => gradients.forEach((g) => g && destroyTensor(gpu, g)));
  const parameters = new Map(
    network.parameters.all.map(({ name, spec }, i) => [name, firstValues(spec, i + 10)]),
  );
  for (const [name, values] of parameters) network.parameters.write(name, values);
  const random = plan.integers([4], "random");
  writeTensor(gpu, random, Uint32Array.of(RANDOM.seed, RANDOM.step, 0, 0));
  const x = network.inputTensor(plan, batch);
  let dy: Tensor | undefined;
  const { logits: y, dx, sections } = network.buildTraining(plan, x, (y) => dy = plan.tensor(y.shape, "dy"), {
    ...{ gradients, random, wantInput },
  });
  const parts = partsOf(item, batch), distinct = Math.max(...parts) + 1;
  const xShort = noise(1, x.size / batch * distinct), dyShort = noise(2, y.size / batch * distinct);
  const shares = Array.from({ length: distinct }, (_, k) => 1 / parts.filter((part) => part === k).length);
  writeTensor(gpu, x, spread(xShort, parts, noise(3, x.size)));
  // A part's places share its gradient, so that together they leave the parameters' gradients as they are.
  writeTensor(gpu, dy!, spread(dyShort, parts, new Float32Array(y.size), shares));
  const timed = sections.filter((s) => s.layer === name).flatMap(({ first, end }) =>
    plan.launches.slice(first, end)
  );
  return {
    timed,
    async check() {
      const [yFound, dxFound] = await readTensors(gpu, dx ? [y, dx] : [y]);
      const found = await network.parameters.read(undefined, gradients);
      const wanted = referenceNetwork(alone, parameters, xShort, RANDOM);
      const yWanted = new Float32Array(wanted.y);
      if (reluAfter) yWanted.forEach((value, i) => yWanted[i] = Math.max(value, 0));
      const below = wanted.backward(dyShort);
      // What stands at no place of a part keeps its value, which compares as equal.
      const checks: Check[] = [compare("y", yFound!, spread(yWanted, parts, yFound!.slice()))];
      if (dxFound) {
        const dxWanted = spread(new Float32Array(below.dx), parts, new Float32Array(x.size), shares);
        checks.push(compare("dx", dxFound, dxWanted));
      }
      for (const [name, values] of Object.entries(below.gradients ?? {})) {
        checks.push(compare(`d ${name}`, found.get(name)!, values));
      }
      // A device may be faster at zeros.
      writeTensor(gpu, dy!, noise(2, y.size));
      return checks;
    },
  };
}

/**
 * Passes values on and the gradient back as they are: the gradient that comes counts as masked, as it is when a layer's consumer
 * has computed it. So no ReLU near zero decides otherwise in float32 than in float64.
 */
function maskedAlready(): Layer {
  return {
    kind: "masked already",
    options: {},
    describe: (input) => ({ output: input, parameters: [] }),
    build: (_, { tensor }) => ({ y: { tensor, relu: false }, trained: false, backward: (dy) => dy }),
  };
}

/** Multiply-adds that the loops do in about five seconds; 4 to 8 ns each were measured. */
const LOOP_BUDGET = 6.5e8;

/** Which of the images that the loops compute stands at each place of the batch; -1: none. */
function partsOf({ layer, input }: PlacedLayer, batch: number): number[] {
  const places = Array.from({ length: batch }, (_, i) => i);
  if (layer.wholeBatch) return places;
  const { output, parameters } = layer.describe(input, Infinity);
  const weights = parameters.reduce((sum, { shape }) => sum + product(shape), 0);
  // Forward, by the weights and by the input.
  const each = 3 * weights * output.h * output.w, two = batch > 1 && 2 * each <= LOOP_BUDGET;
  const drawn = places.map((i) => hash(RANDOM.seed, 0xbe4f, i) % 2 - (two ? 0 : 1));
  // Both are somewhere, and one is at the last place.
  return two ? [0, ...drawn.slice(1, -1), 1] : [...drawn.slice(0, -1), 0];
}

/** Puts each part, times its factor, at its places in `into`, the values of a batch; returns `into`. */
function spread<T extends Float32Array<ArrayBuffer>>(
  values: Float32Array,
  parts: readonly number[],
  into: T,
  factors?: readonly number[],
): T {
  const each = into.length / parts.length;
  parts.forEach((part, place) => {
    if (part < 0) return;
    const one = values.subarray(part * each, (part + 1) * each);
    into.set(factors ? one.map((value) => value * factors[part]!) : one, place * each);
  });
  return into;
}

/** Numbers of ordinary size for a parameter; variances are positive. */
function firstValues({ shape, init }: ParameterSpec, seed: number): Float32Array<ArrayBuffer> {
  const scale = deviation(init) || 0.5;
  const values = noise(seed, product(shape)).map((v) => v * scale);
  return init.kind === "ones" ? values.map((v) => 1 + Math.abs(v)) : values;
}
