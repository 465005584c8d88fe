/**
 * Cases of adaptive average pooling.
 * @module
 */
import * as adaptiveAvgPool from "./adaptive_avg_pool.ts";
import type { Case } from "../../verify/case.ts";
import { differentiableCase, type Operation } from "../../verify/differentiable.ts";
import {
  adaptiveAvgPoolBackward as referenceBackward,
  adaptiveAvgPoolForward as reference,
} from "./reference.ts";
import { normals, rectified } from "../../verify/sample.ts";

/** The kernels as an operation on x [N, H, W, C], pooled to [N, OH, OW, C]. */
export function adaptiveAvgPoolOperation([oh, ow]: readonly [number, number], mask = false): Operation {
  return {
    build(plan, { x }) {
      const y = adaptiveAvgPool.forward(plan, { x: x!, size: [oh, ow] });
      return { y, backward: (dy) => ({ x: adaptiveAvgPool.backward(plan, { x: x!, dy, mask }) }) };
    },
  };
}

function pool(
  [n, h, w, c]: readonly [number, number, number, number],
  [oh, ow]: readonly [number, number],
  note = "",
  mask = false,
): Case {
  return differentiableCase("adaptive_avg_pool", `${n}x${h}x${w}x${c} to ${oh}x${ow}${note}`, () => {
    const drawn = normals(1, [n, h, w, c]), x = mask ? rectified(drawn) : drawn;
    const sizes = { n, h, w, c, oh, ow };
    const dy = normals(2, [n, oh, ow, c]).data;
    const dx = referenceBackward(dy, sizes).map((d, i) => mask && x.data[i]! <= 0 ? 0 : d);
    return {
      operation: adaptiveAvgPoolOperation([oh, ow], mask),
      inputs: { x },
      dy,
      expected: { y: reference(x.data, sizes), gradients: { x: dx } },
      ...(mask ? { slopes: [] } : {}),
    };
  });
}

/** Cases of adaptive average pooling. */
export const adaptiveAvgPoolCases: readonly Case[] = [
  pool([1, 1, 1, 1], [1, 1]),
  pool([2, 13, 13, 3], [6, 6]),
  pool([5, 37, 21, 17], [7, 4]),
  pool([1, 7, 5, 50], [3, 3]),
  pool([2, 4, 4, 2], [6, 6], ", larger than the input"),
  pool([2, 3, 11, 5], [7, 4], ", larger in one direction"),
  pool([3, 6, 6, 3], [1, 1]),
  pool([2, 6, 6, 5], [6, 6], ", nothing to do"),
  pool([2, 9, 8, 5], [4, 3], ", ReLU before", true),
  pool([4, 27, 27, 192], [6, 6], ", large"),
];
