/** @module */
import { maxPoolBackward, maxPoolForward, type PoolOptions, poolOutput } from "./max_pool.ts";
import type { Case } from "../../verify/case.ts";
import { differentiableCase, type Operation } from "../../verify/differentiable.ts";
import { maxPoolBackward as referenceBackward, maxPoolForward as reference } from "./reference.ts";
import { distinct, normals, rectified, ties, type Values } from "../../verify/sample.ts";

/** The kernels as an operation on x [N, H, W, C]. */
export function maxPoolOperation(options: PoolOptions & { mask?: boolean }): Operation {
  return {
    build(plan, { x }) {
      const [n, h, w, c] = x!.shape as [number, number, number, number];
      const y = plan.tensor([n, poolOutput(h, options), poolOutput(w, options), c], "y");
      const winners = plan.tensor([y.length / 4], "winners"), again = plan.tensor(y.shape, "y again");
      plan.add(maxPoolForward(x!, y, options), maxPoolForward(x!, again, { ...options, winners }));
      return {
        y,
        backward(dy) {
          const dx = plan.tensor(x!.shape, "dx");
          plan.add(maxPoolBackward(winners, dy, dx, options));
          return { x: dx };
        },
      };
    },
  };
}

type Shape = readonly [number, number, number, number];
type Values4 = (seed: number, shape: Shape) => Values;

// One step of a slope must not change which value is the largest.
const spread: Values4 = (seed, shape) => distinct(seed, shape, 0.25);

function pool(shape: Shape, options: PoolOptions, note = "", values = spread, mask = false): Case {
  const { kernel, stride = kernel, padding = 0 } = options;
  const [n, h, w, c] = shape;
  const name = `${shape.join("x")}, window ${kernel} stride ${stride} pad ${padding}${note}`;
  return differentiableCase("max_pool", name, () => {
    const x = values(1, shape), sizes = { n, h, w, c, kernel, stride, padding };
    const { y } = reference(x.data, sizes);
    const dy = normals(2, [y.length]).data;
    const dx = referenceBackward(x.data, dy, sizes).map((d, i) => mask && x.data[i]! <= 0 ? 0 : d);
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
  pool([2, 111, 111, 16], { kernel: 2 }, ", large"),
];
