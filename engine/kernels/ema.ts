/** @module */
import { elementwise, type Launch } from "../kernel.ts";
import type { Tensor } from "../tensor.ts";
import wgsl from "./ema.wgsl" with { type: "text" };

/** averaged = decay averaged + (1 - decay) parameter, same length for both; `decay` is from 0 to under 1. */
export function emaUpdate(parameter: Tensor, averaged: Tensor, options: { decay: number }): Launch {
  const { decay } = options;
  if (!(decay >= 0 && decay < 1)) {
    throw new RangeError(`Cannot build ema: decay is ${decay}, wanted at least 0 and under 1`);
  }
  const { constants, grid } = elementwise(parameter.length / 4);
  const tensors = [parameter, averaged];
  return { name: "ema.update", wgsl, tensors, constants: { ...constants, SHARE: 1 - decay }, grid };
}
