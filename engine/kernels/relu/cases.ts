/**
 * Cases of ReLU.
 * @module
 */
import * as relu from "./relu.ts";
import type { Case } from "../../verify/case.ts";
import { differentiableCase, type Operation } from "../../verify/differentiable.ts";
import { reluBackward as referenceBackward, reluForward as reference } from "./reference.ts";
import { awayFromZero, normals, ties, type Values } from "../../verify/sample.ts";

/** The kernels as an operation on x of any shape. */
export const reluOperation: Operation = {
  build(plan, { x }) {
    const y = relu.forward(plan, { x: x! });
    return { y, backward: (dy) => ({ x: relu.backward(plan, { y, dy }) }) };
  },
};

function reluCase(shape: readonly number[], x: Values, note = "", smooth = true): Case {
  return differentiableCase("relu", shape.join("x") + note, () => {
    const dy = normals(2, shape).data;
    return {
      operation: reluOperation,
      inputs: { x },
      dy,
      expected: { y: reference(x.data), gradients: { x: referenceBackward(x.data, dy) } },
      ...(smooth ? {} : { slopes: [] }),
    };
  });
}

/** Cases of ReLU. */
export const reluCases: readonly Case[] = [
  reluCase([1], awayFromZero(1, [1], 0.5)),
  reluCase([37, 21, 50], awayFromZero(2, [37, 21, 50], 0.5)),
  reluCase([5, 3, 3, 17], awayFromZero(3, [5, 3, 3, 17], 0.5)),
  reluCase([2, 3, 7], ties(4, [2, 3, 7]), ", with exact zeros", false),
  reluCase([4, 56, 56, 33], awayFromZero(5, [4, 56, 56, 33], 0.5), ", large"),
];
