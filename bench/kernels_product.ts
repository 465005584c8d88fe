/** @module */
import type { Gpu } from "../engine/gpu.ts";
import { conv2dForward } from "../engine/kernels/conv2d.ts";
import type { Launch } from "../engine/kernel.ts";
import { chooseTile } from "../engine/kernels/tile_table.ts";
import type { Tensor } from "../engine/tensor.ts";

/** A plain matrix product on the core that all layers use: y [M, 1, 1, N] = x [M, 1, 1, K] weight [1, 1, K, N] + bias [N]. */
export function productLaunch(gpu: Gpu, x: Tensor, weight: Tensor, bias: Tensor, y: Tensor): Launch {
  const shape = { op: "forward", rows: x.shape[0]!, cols: y.shape[3]!, depth: x.pitch } as const;
  return conv2dForward(x, weight, bias, y, { tile: chooseTile(gpu, shape) });
}
