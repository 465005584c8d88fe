/**
 * The engine: a WebGPU device, tensors in its memory, and plans that are recorded once and replayed each step. It knows no network.
 *
 * ```ts
 * import { Gpu, Plan, readTensor, writeTensor } from "./mod.ts";
 * import { relu } from "./kernels/mod.ts";
 *
 * using gpu = await Gpu.request();
 * using plan = new Plan(gpu, "example");
 * const x = plan.tensor([2, 3]);
 * const y = relu.forward(plan, { x });
 * await plan.compile();
 * writeTensor(gpu, x, Float32Array.of(-1, 2, -3, 4, -5, 6));
 * plan.run();
 * console.log(await readTensor(gpu, y)); // 0, 2, 0, 4, 0, 6
 * ```
 * @module
 */
export * from "./errors.ts";
export { type DeviceParts, Gpu as OpenedGpu } from "./device.ts";
export type { Driver } from "./driver.ts";
export {
  type AdapterKind,
  type CompileStage,
  Gpu,
  GpuLostError,
  type GpuOptions,
  GpuUnavailableError,
  GpuValidationError,
} from "./gpu.ts";
export { type Bindable, type Bound, KernelCache, kernelText, type Launch, MAX_GROUPS } from "./kernel.ts";
export { type Pause, Plan, submit, submitFirst } from "./plan.ts";
export { type LaunchTime, median } from "./profile.ts";
export type { Subgroups } from "./subgroups.ts";
export type { Readback } from "./readback.ts";
export { fingerprint, hash, normal, shuffle, Stream, uniform } from "./random.ts";
export {
  alignTo4,
  type AnyTensor,
  type ArrayOf,
  copyTensors,
  createTensor,
  destroyTensor,
  type DType,
  type ReadResult,
  readTensor,
  readTensors,
  Tensor,
  type TensorData,
  writeTensor,
} from "./tensor.ts";
