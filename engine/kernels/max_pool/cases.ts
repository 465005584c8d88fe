/**
 * Cases of max pooling.
 * @module
 */
import * as maxPool from "./max_pool.ts";
import type { WindowOptions } from "../prelude/window.ts";
import type { Case } from "../../verify/case.ts";
import { differentiableCase, type Operation } from "../../verify/differentiable.ts";
import { maxPoolBackward, maxPoolForward } from "./reference.ts";
import { distinct, normals, rectified, ties, type Values } from "../../verify/sample.ts";

/** The kernels as an operation on x [N, H, W, C]; y is what inference gives. */
export function maxPoolOperation(
  { mask = false, ...options }: WindowOptions & { mask?: boolean },
): Operation {
  return {
    build(plan, { x }) {
      const window = maxPool.poolWindow(options), shape = x!.shape;
      const y = maxPool.forward(plan, { x: x!, window });
      const { argmax } = maxPool.forwardTraining(plan, { x: x!, window, mask });
      return { y, backward: (dy) => ({ x: maxPool.backward(plan, { argmax, dy, shape, window }) }) };
    },
  };
}

type Shape = readonly [number, number, number, number];
type Values4 = (seed: number, shape: Shape) => Values;

// One step of a slope must not change which value is the largest.
const spread: Values4 = (seed, shape) => distinct(seed, shape, 0.25);

function pool(shape: Shape, options: WindowOptions, note = "", values = spread, mask = false): Case {
  const { kernel, stride = kernel, padding = 0, dilation = 1, ceilMode = false } = options;
  const [n, h, w, c] = shape;
  const name = `${shape.join("x")}, window ${kernel} stride ${stride} pad ${padding}` +
    (dilation === 1 ? "" : ` dilation ${dilation}`) + (ceilMode ? " rounded up" : "") + note;
  return differentiableCase("max_pool", name, () => {
    const x = values(1, shape), sizes = { n, h, w, c, ...maxPool.poolWindow(options) };
    const { y } = maxPoolForward(x.data, sizes);
    const dy = normals(2, [y.length]).data;
    const dx = maxPoolBackward(x.data, dy, sizes).map((d, i) => mask && x.data[i]! <= 0 ? 0 : d);
    return {
      operation: maxPoolOperation({ ...options, mask }),
      inputs: { x },
      dy,
      expected: { y, gradients: { x: dx } },
      ...(values === spread && !mask ? {} : { slopes: [] }),
    };
  });
}

/** Cases of max pooling. */
export const maxPoolCases: readonly Case[] = [
  pool([1, 1, 1, 1], { kernel: 1 }),
  pool([2, 8, 8, 3], { kernel: 2 }),
  pool([5, 37, 21, 17], { kernel: 2 }, ", a border that no window sees"),
  pool([1, 13, 13, 50], { kernel: 3, stride: 2 }, ", overlapping"),
  pool([3, 11, 7, 2], { kernel: 3, stride: 2, padding: 1 }),
  pool([1, 9, 9, 2], { kernel: 3, stride: 1, padding: 1 }),
  pool([2, 11, 12, 5], { kernel: 2, stride: 3 }, ", gaps between windows"),
  pool([2, 9, 9, 5], { kernel: 2 }, ", ties", ties),
  pool([2, 10, 9, 5], { kernel: 3, stride: 2 }, ", ties and overlapping", ties),
  pool([2, 10, 9, 5], { kernel: 3, stride: 2, padding: 1 }, ", ties at the padding", ties),
  pool([2, 9, 9, 5], { kernel: 2 }, ", ReLU before", (s, shape) => rectified(normals(s, shape)), true),
  pool(
    [2, 9, 9, 5],
    { kernel: 3, stride: 2 },
    ", ReLU before and overlapping",
    (s, shape) => rectified(normals(s, shape)),
    true,
  ),
  pool([2, 6, 6, 3], { kernel: 2 }, ", all negative", (s, shape) => {
    const { data } = normals(s, shape);
    return { shape, data: data.map((v) => -1000 - Math.abs(v)) };
  }),
  pool([2, 12, 9, 5], { kernel: [3, 2], stride: [2, 1] }, ", oblong"),
  pool([2, 11, 13, 6], { kernel: 3, stride: 2, dilation: 2 }, ", taps apart"),
  pool(
    [1, 14, 11, 3],
    { kernel: [3, 2], stride: [1, 2], dilation: [2, 3], padding: 1 },
    ", taps apart and padding",
  ),
  pool([2, 10, 8, 5], { kernel: 3, stride: 2, padding: [0, 1, 1, 0] }, ", unequal padding"),
  pool([2, 10, 8, 5], { kernel: 3, stride: 2, ceilMode: true }),
  pool([1, 6, 7, 2], { kernel: 2, stride: 2, ceilMode: true }, ", windows apart"),
  pool([1, 5, 6, 3], { kernel: 2, stride: 3, padding: 1, ceilMode: true }, ", a window left out"),
  pool([2, 112, 112, 5], { kernel: 3, stride: 2, padding: 1 }, ", ResNet's"),
  pool([2, 111, 111, 16], { kernel: 2 }, ", large"),
];
