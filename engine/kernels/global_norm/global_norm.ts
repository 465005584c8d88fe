/** @module */
import { ELEMENTWISE_GROUP, type Launch } from "../../kernel.ts";
import type { Tensor } from "../../tensor.ts";
import wgsl from "./global_norm.wgsl" with { type: "text" };

/** Workgroups that share one tensor, at most. */
const MOST_GROUPS = 1024;

function groupsOf(tensor: Tensor): number {
  return Math.min(MOST_GROUPS, Math.ceil(tensor.length / (ELEMENTWISE_GROUP * 16)));
}

/** Elements that the scratch tensor of `clipByGlobalNorm` needs for these gradients. */
export function globalNormPartials(gradients: readonly Tensor[]): number {
  return gradients.reduce((sum, gradient) => sum + groupsOf(gradient), 0);
}

/**
 * Clips by the norm over all gradients together, as torch.nn.utils.clip_grad_norm_: multiplies the gradient scale in
 * `hyper` [4] (see `sgdStep`; write it anew before every step) by min(1, maxNorm / (norm + 1e-6)), where the norm is
 * that of the scaled gradients, and leaves (norm, factor, 0, 0) in `norm` [4]. `partials` is scratch of
 * `globalNormPartials` elements.
 */
export function clipByGlobalNorm(
  gradients: readonly Tensor[],
  partials: Tensor,
  hyper: Tensor,
  norm: Tensor,
  options: { maxNorm: number },
): Launch[] {
  const size = globalNormPartials(gradients);
  if (partials.size !== size) {
    throw new RangeError(`Cannot build global_norm: partials has ${partials.size} elements, wanted ${size}`);
  }
  if (!(options.maxNorm > 0)) {
    throw new RangeError(`Cannot build global_norm: the largest norm is ${options.maxNorm}, wanted above 0`);
  }
  const GROUP = ELEMENTWISE_GROUP;
  let first = 0;
  const launches = gradients.map((gradient): Launch => {
    const groups = groupsOf(gradient);
    first += groups;
    return {
      name: "global_norm.squares",
      wgsl,
      tensors: [gradient, partials],
      constants: { GROUP, SIZE: gradient.length / 4, GROUPS: groups, FIRST: first - groups },
      grid: [groups, 1, 1],
    };
  });
  launches.push({
    name: "global_norm.clip",
    wgsl,
    tensors: [partials, hyper, norm],
    constants: { GROUP, SIZE: size, MAX_NORM: options.maxNorm },
    grid: [1, 1, 1],
  });
  return launches;
}
