/**
 * Cases of average pooling.
 * @module
 */
import type { Case } from "../../verify/case.ts";
import { differentiableCase } from "../../verify/differentiable.ts";
import { normals, rectified } from "../../verify/sample.ts";
import { windowOutput } from "../prelude/window.ts";
import * as avgPool from "./avg_pool.ts";
import { avgPoolBackward, avgPoolForward } from "./reference.ts";

function pool(
  [n, h, w, c]: readonly [number, number, number, number],
  options: avgPool.AvgPoolOptions,
  note = "",
  mask = false,
): Case {
  return differentiableCase("avg_pool", `${n}x${h}x${w}x${c}, window ${options.kernel}${note}`, () => {
    const drawn = normals(1, [n, h, w, c]), x = mask ? rectified(drawn) : drawn;
    const { countIncludePad = true, divisorOverride } = options;
    const window = avgPool.poolWindow(options);
    const sizes = { n, h, w, c, ...windowOutput(window, h, w), ...window, countIncludePad, divisorOverride };
    const dy = normals(2, [n, sizes.oh, sizes.ow, c]).data;
    const dx = avgPoolBackward(dy, sizes).map((d, i) => mask && x.data[i]! <= 0 ? 0 : d);
    return {
      operation: {
        build: (plan, { x }) => ({
          y: avgPool.forward(plan, { x: x!, ...options }),
          backward: (dy) => ({ x: avgPool.backward(plan, { x: x!, dy, mask, ...options }) }),
        }),
      },
      inputs: { x },
      dy,
      expected: { y: avgPoolForward(x.data, sizes), gradients: { x: dx } },
      ...(mask ? { slopes: [] } : {}),
    };
  });
}

/** Cases of average pooling. */
export const avgPoolCases: readonly Case[] = [
  pool([1, 1, 1, 1], { kernel: 1 }),
  pool([2, 8, 8, 3], { kernel: 2 }),
  pool([5, 37, 21, 17], { kernel: 2 }, ", a border that no window sees"),
  pool([1, 13, 13, 50], { kernel: 3, stride: 2 }, ", overlapping"),
  pool([3, 11, 7, 2], { kernel: 3, stride: 2, padding: 1 }, ", padding counted"),
  pool([3, 11, 7, 2], { kernel: 3, stride: 2, padding: 1, countIncludePad: false }, ", padding not counted"),
  pool([2, 9, 8, 5], { kernel: [3, 2], stride: [1, 2], padding: [0, 1, 1, 0] }, ", oblong, unequal padding"),
  pool([2, 10, 9, 6], { kernel: 3, stride: 2, padding: 1, ceilMode: true }, ", rounded up"),
  pool(
    [2, 8, 6, 6],
    { kernel: 3, stride: 2, ceilMode: true, countIncludePad: false },
    ", rounded up, padding not counted",
  ),
  pool([2, 11, 12, 5], { kernel: 2, stride: 3 }, ", gaps between windows"),
  pool([2, 9, 9, 5], { kernel: 3, divisorOverride: 4 }, ", divided by 4"),
  pool([2, 9, 9, 5], { kernel: 3, stride: 2 }, ", ReLU before", true),
  pool([4, 56, 56, 33], { kernel: 2 }, ", large"),
];
