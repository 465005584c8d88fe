/**
 * Clipping by the norm over all gradients together, as torch.nn.utils.clip_grad_norm_, without a read-back.
 * @module
 */
import type { Plan } from "../../plan.ts";
import type { Tensor } from "../../tensor.ts";
import { GROUP, withStepParams } from "../prelude/prelude.ts";
import source from "./global_norm.wgsl" with { type: "text" };

const wgsl = withStepParams(source);

/** Workgroups that share one tensor, at most. */
const MOST_GROUPS = 1024;

/**
 * Records that the gradient scale in `params` (write it anew before every step) is multiplied by min(1, maxNorm / (norm + 1e-6)),
 * where the norm is that of the scaled gradients; returns the tensor [4] that receives (norm, factor, 0, 0).
 */
export function clip(
  plan: Plan,
  { gradients, params, maxNorm }: {
    readonly gradients: readonly Tensor[];
    readonly params: Tensor;
    readonly maxNorm: number;
  },
): Tensor {
  if (!(maxNorm > 0)) {
    throw new RangeError(`Cannot build global_norm: the largest norm is ${maxNorm}, wanted above 0`);
  }
  const groups = gradients.map(({ length }) => Math.min(MOST_GROUPS, Math.ceil(length / (GROUP * 16))));
  const size = groups.reduce((sum, n) => sum + n, 0);
  const partials = plan.tensor([size], "gradient norm parts"), norm = plan.tensor([4], "gradient norm");
  let first = 0;
  gradients.forEach((gradient, i) => {
    plan.add({
      name: "global_norm.squares",
      wgsl,
      tensors: [gradient, partials],
      constants: { GROUP, SIZE: gradient.length / 4, GROUPS: groups[i]!, FIRST: first },
      grid: [groups[i]!, 1, 1],
    });
    first += groups[i]!;
  });
  plan.add({
    name: "global_norm.clip",
    wgsl,
    tensors: [partials, params, norm],
    constants: { GROUP, SIZE: size, MAX_NORM: maxNorm },
    grid: [1, 1, 1],
  });
  return norm;
}
