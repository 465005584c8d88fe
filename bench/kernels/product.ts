/** @module */
import type { Gpu } from "../../engine/gpu.ts";
import { conv2dForward } from "../../engine/kernels/conv2d/conv2d.ts";
import type { Launch } from "../../engine/kernel.ts";
import { chooseTile } from "../../engine/kernels/matmul/choose.ts";
import { readTensor, type Tensor, writeTensor } from "../../engine/tensor.ts";
import { compare } from "../../engine/verify/case.ts";
import { conv2dForward as reference } from "../../engine/kernels/conv2d/reference.ts";
import type { BenchCase } from "./case.ts";
import { noise } from "./noise.ts";

/** A plain matrix product on the core that all layers use: y [M, 1, 1, N] = x [M, 1, 1, K] weight [1, 1, K, N] + bias [N]. */
export function productLaunch(gpu: Gpu, x: Tensor, weight: Tensor, bias: Tensor, y: Tensor): Launch {
  const shape = { op: "forward", rows: x.shape[0]!, cols: y.shape[3]!, depth: x.pitch } as const;
  return conv2dForward(x, weight, bias, y, { tile: chooseTile(gpu, shape) });
}

/** The product of two square matrices; its last row is compared. */
export function productCase(size: number): BenchCase {
  return {
    name: `${size}^3 product`,
    build(plan) {
      const { gpu } = plan;
      const x = plan.tensor([size, 1, 1, size], "x"), weight = plan.tensor([1, 1, size, size], "weight");
      const bias = plan.tensor([size], "bias"), y = plan.tensor([size, 1, 1, size], "y");
      const values = [noise(1, size * size), noise(2, size * size)] as const;
      writeTensor(gpu, x, values[0]);
      writeTensor(gpu, weight, values[1]);
      plan.add(productLaunch(gpu, x, weight, bias, y));
      return async () => {
        const sizes = { n: 1, h: 1, w: 1, c: size, o: size, kh: 1, kw: 1, stride: 1, padding: 0, groups: 1 };
        const last = (size - 1) * size;
        const wanted = reference(values[0].subarray(last), values[1], new Float32Array(size), sizes);
        return [compare("y", (await readTensor(gpu, y)).subarray(last), wanted)];
      };
    },
  };
}
