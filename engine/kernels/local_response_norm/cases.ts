/**
 * Cases of local response normalisation.
 * @module
 */
import * as localResponseNorm from "./local_response_norm.ts";
import type { Case } from "../../verify/case.ts";
import { differentiableCase, type Operation } from "../../verify/differentiable.ts";
import {
  localResponseNormBackward as referenceBackward,
  localResponseNormForward as reference,
} from "./reference.ts";
import { normals, rectified } from "../../verify/sample.ts";

/** The kernels as an operation on x [N, H, W, C]. */
export function localResponseNormOperation(
  options: localResponseNorm.LocalResponseNormOptions & { mask?: boolean },
): Operation {
  return {
    build(plan, { x }) {
      return {
        y: localResponseNorm.forward(plan, { x: x!, ...options }),
        backward: (dy) => ({ x: localResponseNorm.backward(plan, { x: x!, dy, ...options }) }),
      };
    },
  };
}

/** The constants of the paper of 2012, as PyTorch counts alpha: there it isn't divided by the size. */
const PAPER = { size: 5, alpha: 5e-4, beta: 0.75, k: 2 };
/** So strong that the second term of the gradient matters. */
const STRONG = { size: 5, alpha: 1, beta: 0.75, k: 1 };

function norm(
  shape: readonly number[],
  options: Required<localResponseNorm.LocalResponseNormOptions>,
  note = "",
  scale = 2,
  mask = false,
): Case {
  const { size, alpha, beta, k } = options;
  const name = `${shape.join("x")}, size ${size} alpha ${alpha} beta ${beta} k ${k}${note}`;
  return differentiableCase("local_response_norm", name, () => {
    const drawn = normals(1, shape, scale), x = mask ? rectified(drawn) : drawn;
    const channels = shape.at(-1)!, dy = normals(2, shape).data;
    const dx = referenceBackward(x.data, dy, channels, options).map((d, i) =>
      mask && x.data[i]! <= 0 ? 0 : d
    );
    return {
      operation: localResponseNormOperation({ ...options, mask }),
      inputs: { x },
      dy,
      expected: { y: reference(x.data, channels, options), gradients: { x: dx } },
      // The strong constants bend y within the usual step.
      step: 2 ** -8,
      ...(mask ? { slopes: [] } : {}),
    };
  });
}

/** Cases of local response normalisation. */
export const localResponseNormCases: readonly Case[] = [
  norm([1, 1, 1, 1], STRONG),
  norm([2, 3, 3, 7], PAPER, ", values of hundreds", 300),
  norm([5, 7, 3, 17], STRONG),
  norm([2, 2, 2, 3], STRONG, ", window wider than the channels"),
  norm([1, 4, 2, 16], { ...STRONG, size: 1 }),
  norm([1, 4, 2, 16], { ...STRONG, size: 2 }, ", even window"),
  norm([2, 3, 2, 21], { ...STRONG, size: 8 }, ", even window"),
  norm([2, 3, 2, 50], { ...STRONG, size: 13 }, ", window over several vectors"),
  norm([2, 3, 2, 9], { ...STRONG, beta: 0.5 }),
  norm([2, 3, 2, 9], { ...STRONG, size: 3, beta: 1.3 }),
  norm([2, 5, 5, 10], STRONG, ", ReLU before", 2, true),
  norm([2, 27, 27, 96], PAPER, ", large", 30),
];
