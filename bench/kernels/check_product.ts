/**
 * Compares a convolution's or a linear layer's results with the float64 reference, on some channels.
 * @module
 */
import { type Check, compare } from "../../engine/verify/case.ts";
import {
  conv2dBackward,
  conv2dForward,
  conv2dOutput,
  type Conv2dSizes,
} from "../../engine/kernels/conv2d/reference.ts";
import type { LayerValues, PlacedLayer } from "./check.ts";
import { masked } from "./check.ts";

/** A product as a dense convolution: groups become zeros, a linear layer a 1x1 convolution of 1x1 images. */
interface Product extends Conv2dSizes {
  /** Value of the weight's gradient or the weight from tap, input and output channel. */
  readonly at: (values: ArrayLike<number>, tap: number, c: number, o: number) => number;
}

/**
 * y of the last image and two output channels, dx of the last image and two input channels, dWeight between those channels
 * and dBias of the outputs, over all images. Each follows from its definition alone.
 */
export function checkProduct(item: PlacedLayer, batch: number, v: LayerValues): Check[] {
  const p = productOf(item, batch);
  const { oh, ow } = conv2dOutput(p);
  const weight = v.parameters.get("weight")!, bias = v.parameters.get("bias")!;
  const all = { c: range(p.c), o: range(p.o) }, some = { c: ends(p.c), o: ends(p.o) };
  const weights = (c: readonly number[], o: readonly number[]) => {
    const out = new Float32Array(p.kh * p.kw * c.length * o.length);
    let at = 0;
    for (let tap = 0; tap < p.kh * p.kw; tap++) {
      for (const i of c) for (const k of o) out[at++] = p.at(weight, tap, i, k);
    }
    return out;
  };
  const last = { n: 1, groups: 1 };
  const xLast = v.x.subarray((batch - 1) * p.h * p.w * p.c),
    dyLast = v.dy.subarray((batch - 1) * oh * ow * p.o);
  const y = conv2dForward(xLast, weights(all.c, some.o), some.o.map((o) => bias[o]!), {
    ...p,
    ...last,
    o: some.o.length,
  });
  const checks = [compare(
    "y",
    channels(v.y.subarray((batch - 1) * oh * ow * p.o), p.o, some.o),
    item.reluAfter ? y.map((value) => Math.max(value, 0)) : y,
  )];
  if (v.dx) {
    const x = channels(xLast, p.c, some.c);
    const { dx } = conv2dBackward(x, weights(some.c, all.o), dyLast, { ...p, ...last, c: some.c.length });
    const found = channels(v.dx.subarray((batch - 1) * p.h * p.w * p.c), p.c, some.c);
    checks.push(compare("dx", found, masked(dx, x, item.reluBefore)));
  }
  const between = { ...p, groups: 1, c: some.c.length, o: some.o.length };
  const gradient = conv2dBackward(
    channels(v.x, p.c, some.c),
    weights(some.c, some.o),
    channels(v.dy, p.o, some.o),
    between,
  );
  const dWeight = v.gradients.get("weight")!, dBias = v.gradients.get("bias")!;
  const found: number[] = [], wanted: number[] = [];
  let at = 0;
  for (let tap = 0; tap < p.kh * p.kw; tap++) {
    for (const c of some.c) {
      for (const o of some.o) {
        const value = gradient.dWeight[at++]!;
        if (sameGroup(p, c, o)) {
          found.push(p.at(dWeight, tap, c, o));
          wanted.push(value);
        }
      }
    }
  }
  return [
    ...checks,
    compare("dweight", found, wanted),
    compare("dbias", some.o.map((o) => dBias[o]!), gradient.dBias),
  ];
}

function productOf({ layer, input, output }: PlacedLayer, n: number): Product {
  const { kernel = 1, stride = 1, padding = 0, groups = 1 } = layer.options as Record<string, number>;
  if (layer.kind === "conv2d") {
    const sizes = {
      n,
      h: input.h,
      w: input.w,
      c: input.c,
      o: output.c,
      kh: kernel,
      kw: kernel,
      stride,
      padding,
      groups,
    };
    const perGroup = input.c / groups, area = kernel * kernel;
    const at = (values: ArrayLike<number>, tap: number, c: number, o: number) =>
      sameGroup(sizes, c, o) ? values[(o * perGroup + c % perGroup) * area + tap]! : 0;
    return { ...sizes, at };
  }
  // A flattened image keeps its channels last on the device, while PyTorch's weights have them first.
  const { c: inputs, flattened: f = { c: input.c, h: 1, w: 1 } } = input;
  const at = (values: ArrayLike<number>, _: number, c: number, o: number) =>
    values[o * inputs + (c % f.c) * f.h * f.w + Math.floor(c / f.c)]!;
  return { n, h: 1, w: 1, c: inputs, o: output.c, kh: 1, kw: 1, stride: 1, padding: 0, groups: 1, at };
}

function sameGroup({ c, o, groups }: Conv2dSizes, i: number, k: number): boolean {
  return Math.floor(i * groups / c) === Math.floor(k * groups / o);
}

/** Some channels of values [..., count]. */
function channels(values: Float32Array, count: number, chosen: readonly number[]): Float32Array<ArrayBuffer> {
  const out = new Float32Array(values.length / count * chosen.length);
  for (let row = 0, at = 0; row < values.length; row += count) {
    for (const c of chosen) out[at++] = values[row + c]!;
  }
  return out;
}

function ends(n: number): number[] {
  return [...new Set([0, n - 1])];
}

function range(n: number): number[] {
  return Array.from({ length: n }, (_, i) => i);
}
