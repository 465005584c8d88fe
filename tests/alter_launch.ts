/**
 * Breaks kernels on purpose.
 * @module
 */
import type { Gpu } from "../engine/gpu.ts";
import type { Launch } from "../engine/kernel.ts";

/** Changes every launch of this device before it is compiled: tests break a kernel with it, to see that the checks notice. */
export function alterLaunches(gpu: Gpu, alter: (launch: Launch) => Launch): void {
  const bind = gpu.kernels.bind.bind(gpu.kernels);
  gpu.kernels.bind = (launch) => bind(alter(launch));
}
