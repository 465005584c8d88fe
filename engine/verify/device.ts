/**
 * Runs a few launches once on a device and brings the results back.
 * @module
 */
import type { Gpu } from "../gpu.ts";
import { Plan } from "../plan.ts";
import { padded, readTensors, type Tensor, writeTensor } from "../tensor.ts";
import type { Check } from "./case.ts";
import type { Values } from "./sample.ts";

/** A result: its elements without padding, and the largest magnitude found in the padding. */
export interface Output {
  readonly values: Float32Array<ArrayBuffer>;
  readonly padding: number;
}

/**
 * Runs the launches that `build` records, once, and reads the tensors it returns. Everything on the device is freed.
 * Several sets of tensors cost one round trip, so put many into one call.
 */
export async function runOnce(
  gpu: Gpu,
  label: string,
  build: (plan: Plan) => Readonly<Record<string, Tensor>>,
): Promise<Record<string, Output>> {
  using plan = new Plan(gpu, label);
  const tensors = await gpu.guard(`build ${label}`, () => build(plan));
  await plan.compile();
  plan.run();
  const names = Object.keys(tensors);
  const raw = await readTensors(gpu, names.map((name) => flat(tensors[name]!)));
  return Object.fromEntries(names.map((name, i) => [name, withoutPadding(raw[i]!, tensors[name]!)]));
}

/** A tensor of the plan holding these values. */
export function upload(plan: Plan, label: string, { shape, data }: Values): Tensor {
  const tensor = plan.tensor(shape, label);
  writeTensor(plan.gpu, tensor, data);
  return tensor;
}

/** A u32 tensor of the plan. */
export function uploadIntegers(plan: Plan, label: string, data: Uint32Array): Tensor {
  const tensor = plan.tensor([data.length], label);
  writeTensor(plan.gpu, tensor, data);
  return tensor;
}

/** Checks that fail for outputs whose padding is not exactly zero; empty when all is well. */
export function paddingChecks(outputs: Readonly<Record<string, Output>>): Check[] {
  return Object.entries(outputs)
    .filter(([, { padding }]) => padding !== 0)
    .map(([name, { padding }]) => ({ quantity: `padding of ${name}`, error: padding, tolerance: 0 }));
}

/** The tensor's whole memory as one row, padding included. */
function flat(tensor: Tensor): Tensor {
  const { length } = tensor;
  return { ...tensor, shape: [length], size: length, pitch: padded(length) };
}

function withoutPadding(raw: Float32Array<ArrayBuffer>, { shape, pitch, size }: Tensor): Output {
  const last = shape.at(-1)!;
  const values = new Float32Array(size);
  let padding = 0;
  for (let row = 0; row * pitch < raw.length; row++) {
    // Whole rows, because a single NaN loses its payload on the way through a number; u32 tensors come here too.
    values.set(raw.subarray(row * pitch, row * pitch + last), row * last);
    // A NaN must show, and Math.max passes it on.
    for (let i = row * pitch + last; i < (row + 1) * pitch; i++) {
      padding = Math.max(padding, Math.abs(raw[i]!));
    }
  }
  return { values, padding };
}
