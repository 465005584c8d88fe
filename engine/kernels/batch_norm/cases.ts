/**
 * Cases of batch normalisation.
 * @module
 */
import * as batchNorm from "./batch_norm.ts";
import type { Case } from "../../verify/case.ts";
import { differentiableCase, type Operation, type Problem } from "../../verify/differentiable.ts";
import {
  batchNormBackward as referenceBackward,
  batchNormForward as reference,
  batchStatistics,
  updateRunning,
} from "./reference.ts";
import { normals, rectified, type Values } from "../../verify/sample.ts";

/** How a batch normalisation is computed. */
export interface BatchNormBuild {
  readonly eps: number;
  /** Share of the batch in the running statistics; undefined uses these instead of the batch's (inference). */
  readonly momentum: number | undefined;
  readonly relu?: boolean;
  readonly mask?: boolean;
  /** Run backward twice, the second time adding to the gradients. */
  readonly twice?: boolean;
}

/** The kernels as an operation on x [N, H, W, C], weight, bias, mean and variance [C]; the last two are running. */
export function batchNormOperation(options: BatchNormBuild): Operation {
  const { eps, momentum, relu = false, mask = false, twice = false } = options;
  const training = momentum !== undefined;
  return {
    build(plan, { x, weight, bias, mean, variance }) {
      const channels = x!.shape.at(-1)!;
      const running = { mean: mean!, variance: variance! };
      const saved = batchNorm.forward(plan, {
        ...{ x: x!, weight: weight!, bias: bias!, running, eps, momentum, relu },
      });
      return {
        y: saved.y,
        outputs: { statistics: saved.statistics, mean: mean!, variance: variance! },
        backward(dy) {
          const dWeight = plan.tensor([channels], "dWeight"), dBias = plan.tensor([channels], "dBias");
          const t = { x: x!, dy, weight: weight!, saved, dWeight, dBias, training };
          if (twice) batchNorm.backward(plan, { ...t, wantInput: false });
          const dx = batchNorm.backward(plan, { ...t, mask, accumulate: twice });
          return { x: dx!, weight: dWeight, bias: dBias };
        },
      };
    },
  };
}

function problem(x: Values, options: BatchNormBuild): Problem {
  const { eps, momentum } = options;
  const channels = x.shape.at(-1)!, rows = x.data.length / channels;
  const training = momentum !== undefined;
  const inputs = {
    x,
    weight: normals(2, [channels], 0.5, 1),
    bias: normals(3, [channels]),
    mean: normals(4, [channels]),
    variance: { shape: [channels], data: normals(5, [channels], 0.3, 1).data.map((v) => Math.abs(v) + 0.1) },
  };
  const running = { mean: inputs.mean.data, variance: inputs.variance.data };
  const used = training ? batchStatistics(x.data, channels) : running;
  const after = training ? updateRunning(running, used, rows, momentum) : running;
  const y = reference(x.data, inputs.weight.data, inputs.bias.data, used, eps);
  const dy = normals(6, x.shape).data;
  const { dx, dWeight, dBias } = referenceBackward(x.data, inputs.weight.data, dy, used, eps, training);
  const times = options.twice ? 2 : 1;
  const invstd = Float64Array.from(used.variance, (v) => 1 / Math.sqrt(v + eps));
  return {
    operation: batchNormOperation(options),
    inputs,
    dy,
    expected: {
      y: options.relu ? y.map((v) => Math.max(v, 0)) : y,
      outputs: { statistics: [...used.mean, ...invstd], ...after },
      gradients: {
        x: options.mask ? dx.map((d, i) => x.data[i]! > 0 ? d : 0) : dx,
        weight: dWeight.map((d) => d * times),
        bias: dBias.map((d) => d * times),
      },
    },
    ...(options.relu || options.mask || options.twice ? { slopes: [] } : {}),
  };
}

function norm(shape: readonly number[], note: string, options: Partial<BatchNormBuild>, x?: Values): Case {
  const build = { eps: 1e-5, momentum: undefined, ...options };
  const mode = build.momentum === undefined ? "inference" : "training";
  return differentiableCase("batch_norm", `${shape.join("x")}, ${mode}${note}`, () => {
    const drawn = x ?? normals(1, shape, 2, 0.5);
    return problem(build.mask ? rectified(drawn) : drawn, build);
  });
}

const training = { momentum: 0.1 };

/** Cases of batch normalisation. */
export const batchNormCases: readonly Case[] = [
  norm([4, 5, 5, 3], "", training),
  norm([8, 1, 1, 2], "", training),
  norm([5, 37, 21, 17], "", training),
  norm([2, 3, 4, 50], ", eps 1e-3 and momentum 0.3", { momentum: 0.3, eps: 1e-3 }),
  norm([16, 55, 55, 6], ", large", training),
  norm([4, 9, 11, 6], ", mean of 100 spreads", training, normals(7, [4, 9, 11, 6], 1, 100)),
  norm([4, 5, 6, 5], ", ReLU fused", { ...training, relu: true }),
  norm([4, 5, 6, 5], ", ReLU before", { ...training, mask: true }),
  norm([4, 5, 6, 5], ", gradients added up", { ...training, twice: true }),
  norm([4, 5, 5, 3], "", {}),
  norm([1, 1, 1, 1], "", {}),
  norm([3, 9, 7, 17], ", ReLU fused", { relu: true }),
  norm([3, 9, 7, 17], ", ReLU before", { mask: true }),
];
