/**
 * Cases of dropout.
 * @module
 */
import { uniform } from "../../random.ts";
import * as dropout from "./dropout.ts";
import type { Case } from "../../verify/case.ts";
import { uploadIntegers } from "../../verify/device.ts";
import { differentiableCase, type Operation } from "../../verify/differentiable.ts";
import { dropout as reference } from "./reference.ts";
import { normals, rectified } from "../../verify/sample.ts";

/** The kernels as an operation on x of any shape, at one seed and step. */
export function dropoutOperation(
  seed: number,
  step: number,
  options: { rate: number; stream: number; mask?: boolean },
): Operation {
  return {
    build(plan, { x }) {
      const random = uploadIntegers(plan, "random", Uint32Array.of(seed, step, 0, 0));
      const drawn = { x: x!, random, ...options };
      return {
        y: dropout.forward(plan, drawn),
        backward: (dy) => ({ x: dropout.backward(plan, { ...drawn, dy }) }),
      };
    },
  };
}

function drop(shape: readonly number[], rate: number, note = "", seed = 1, step = 1, mask = false): Case {
  return differentiableCase("dropout", `${shape.join("x")}, rate ${rate}${note}`, () => {
    const stream = 0x0206;
    const drawn = normals(1, shape), x = mask ? rectified(drawn) : drawn;
    const dy = normals(2, shape).data;
    const chance = (i: number) => uniform(seed, stream, i, step);
    const dx = reference(dy, rate, chance).map((d, i) => mask && x.data[i]! <= 0 ? 0 : d);
    return {
      operation: dropoutOperation(seed, step, { rate, stream, mask }),
      inputs: { x },
      dy,
      expected: { y: reference(x.data, rate, chance), gradients: { x: dx } },
      ...(mask ? { slopes: [] } : {}),
    };
  });
}

/** Cases of dropout; one wrong bit of the mask is an error of at least 1e-3. */
export const dropoutCases: readonly Case[] = [
  drop([1, 1, 1, 1], 0.5),
  drop([37, 21, 50], 0.5),
  drop([5, 1, 1, 17], 0.1, ", large seed and step", 0xfedcba98, 0x80000001),
  drop([2, 3, 3, 7], 0),
  drop([2, 3, 3, 7], 0.999),
  drop([4, 1, 1, 9], 0.5, ", ReLU before", 3, 2, true),
  drop([64, 1, 1, 4096], 0.5, ", large"),
];
