/**
 * Tensors in device memory: a shape and a range of a buffer. The last dimension is padded with zeros to a
 * multiple of four, so that every kernel reads and writes whole `vec4`s whatever the shape.
 * @module
 */
import type { Gpu } from "./gpu.ts";
import { READBACK_BYTES } from "./readback.ts";

/** A range of a buffer with a shape. Elements are 4 bytes (f32, or u32 where a kernel says so). */
export interface Tensor {
  readonly label: string;
  /** Row-major; activations are NHWC. */
  readonly shape: readonly number[];
  /** Number of elements the shape has. */
  readonly size: number;
  /** The last dimension rounded up to a multiple of four. */
  readonly pitch: number;
  /** Number of elements in memory, padding included. */
  readonly length: number;
  readonly buffer: GPUBuffer;
  /** Byte offset in `buffer`, a multiple of the device's storage offset alignment. */
  readonly offset: number;
}

/** What a tensor may hold on the CPU side. */
export type TensorData = Float32Array | Uint32Array | Int32Array;

/** Rounds up to a multiple of four. */
export function padded(size: number): number {
  return Math.ceil(size / 4) * 4;
}

/** Rows and padded length of a shape. Throws on an empty or non-integer shape. */
export function layoutOf(label: string, shape: readonly number[]): {
  size: number;
  pitch: number;
  length: number;
} {
  if (shape.length === 0 || shape.some((n) => !Number.isInteger(n) || n < 1)) {
    throw new RangeError(`Cannot create tensor ${label}: its shape is [${shape}], wanted positive integers`);
  }
  const last = shape.at(-1)!;
  const rows = shape.slice(0, -1).reduce((a, b) => a * b, 1);
  return { size: rows * last, pitch: padded(last), length: rows * padded(last) };
}

/** A tensor with a buffer of its own, zero-filled. Whoever creates it destroys it with `destroyTensor`. */
export function createTensor(gpu: Gpu, label: string, shape: readonly number[]): Tensor {
  const layout = layoutOf(label, shape);
  const bytes = layout.length * 4;
  if (bytes > gpu.limits.maxStorageBufferBindingSize) {
    throw new RangeError(
      `Cannot create tensor ${label} [${shape}]: it needs ${bytes} bytes, ` +
        `one binding of this device holds ${gpu.limits.maxStorageBufferBindingSize}`,
    );
  }
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
  return { label, shape: [...shape], ...layout, buffer: gpu.createBuffer(label, bytes, usage), offset: 0 };
}

/** Frees a tensor made by `createTensor`. */
export function destroyTensor(gpu: Gpu, tensor: Tensor): void {
  gpu.destroyBuffer(tensor.buffer);
}

/** Copies `data` (its `size` elements, unpadded, row-major) into the tensor. Throws on another length. */
export function writeTensor(gpu: Gpu, tensor: Tensor, data: TensorData): void {
  if (data.length !== tensor.size) {
    throw new RangeError(
      `Cannot write ${tensor.label} [${tensor.shape}]: got ${data.length} values, wanted ${tensor.size}`,
    );
  }
  const whole = tensor.pitch === tensor.shape.at(-1) ? data : padRows(data, tensor);
  // A zero-sized or oversized writeBuffer aborts the process in Deno; both are excluded above.
  gpu.device.queue.writeBuffer(tensor.buffer, tensor.offset, whole as Float32Array<ArrayBuffer>);
}

/** Copies tensors to others of the same length, on the device. */
export function copyTensors(gpu: Gpu, pairs: readonly (readonly [from: Tensor, to: Tensor])[]): void {
  gpu.check();
  const encoder = gpu.device.createCommandEncoder({ label: "copy" });
  for (const [from, to] of pairs) {
    if (from.length !== to.length) {
      throw new RangeError(
        `Cannot copy ${from.label} [${from.shape}] to ${to.label} [${to.shape}]: wanted the same length`,
      );
    }
    encoder.copyBufferToBuffer(from.buffer, from.offset, to.buffer, to.offset, from.length * 4);
  }
  gpu.device.queue.submit([encoder.finish()]);
}

/** Reads several tensors in one round trip; each result has the tensor's `size` elements, unpadded. */
export async function readTensors(
  gpu: Gpu,
  tensors: readonly Tensor[],
): Promise<Float32Array<ArrayBuffer>[]> {
  if (tensors.length === 0) return [];
  gpu.check();
  const total = tensors.reduce((sum, t) => sum + t.length * 4, 0);
  const record = (encoder: GPUCommandEncoder, to: GPUBuffer) => {
    let at = 0;
    for (const t of tensors) {
      encoder.copyBufferToBuffer(t.buffer, t.offset, to, at, t.length * 4);
      at += t.length * 4;
    }
  };
  const bytes = total <= READBACK_BYTES
    ? await gpu.readback.read(total, record)
    : await readLarge(gpu, total, record);
  gpu.check();
  let at = 0;
  return tensors.map((t) => {
    const values = unpadRows(new Float32Array(bytes, at, t.length), t);
    at += t.length * 4;
    return values;
  });
}

async function readLarge(
  gpu: Gpu,
  size: number,
  record: (encoder: GPUCommandEncoder, to: GPUBuffer) => void,
): Promise<ArrayBuffer> {
  const usage = GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ;
  const staging = gpu.createBuffer("large readback", size, usage);
  try {
    const encoder = gpu.device.createCommandEncoder({ label: "large readback" });
    record(encoder, staging);
    gpu.device.queue.submit([encoder.finish()]);
    await staging.mapAsync(GPUMapMode.READ);
    return staging.getMappedRange().slice(0);
  } finally {
    gpu.destroyBuffer(staging);
  }
}

/** Reads one tensor; see `readTensors`. */
export async function readTensor(gpu: Gpu, tensor: Tensor): Promise<Float32Array<ArrayBuffer>> {
  const [values] = await readTensors(gpu, [tensor]);
  return values!;
}

function padRows(data: TensorData, { shape, pitch, length }: Tensor): TensorData {
  const last = shape.at(-1)!;
  const out = data instanceof Float32Array ? new Float32Array(length) : new Uint32Array(length);
  // Value by value: rows are often three long, and a subarray each costs more than the copy.
  for (let from = 0, to = 0; from < data.length; to += pitch - last) {
    for (let i = 0; i < last; i++) out[to++] = data[from++]!;
  }
  return out;
}

function unpadRows(data: Float32Array, { shape, pitch, size }: Tensor): Float32Array<ArrayBuffer> {
  const last = shape.at(-1)!;
  const out = new Float32Array(size);
  if (last === pitch) {
    out.set(data);
    return out;
  }
  for (let from = 0, to = 0; to < size; from += pitch, to += last) {
    out.set(data.subarray(from, from + last), to);
  }
  return out;
}
