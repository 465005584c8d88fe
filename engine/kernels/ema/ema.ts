/** @module */
import { elementwise, type Launch } from "../../kernel.ts";
import type { Tensor } from "../../tensor.ts";
import wgsl from "./ema.wgsl" with { type: "text" };

/**
 * averaged = d averaged + (1 - d) parameter, same length for both, with d = min(decay, (1 + step) / (10 + step)), so that
 * the random first values are soon forgotten; `decay` is from 0 to under 1. `hyper` [4] is (., ., step from 1, stop); after
 * a stop nothing changes.
 */
export function emaUpdate(
  parameter: Tensor,
  averaged: Tensor,
  hyper: Tensor,
  options: { decay: number },
): Launch {
  const { decay } = options;
  if (!(decay >= 0 && decay < 1)) {
    throw new RangeError(`Cannot build ema: decay is ${decay}, wanted at least 0 and under 1`);
  }
  const { constants, grid } = elementwise(parameter.length / 4);
  const tensors = [parameter, averaged, hyper];
  return { name: "ema.update", wgsl, tensors, constants: { ...constants, SHARE: 1 - decay }, grid };
}
