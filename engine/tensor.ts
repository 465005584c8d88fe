/**
 * Tensors in device memory: a shape and a range of a buffer. The last dimension is padded with zeros to a
 * multiple of four, so that every kernel reads and writes whole `vec4`s whatever the shape.
 * @module
 */
import type { Gpu } from "./device.ts";
import { READBACK_BYTES } from "./readback.ts";

/** Element types; both take four bytes. */
export type DType = "f32" | "u32";

/** What a tensor of this type holds on the CPU side. */
export type TensorData<D extends DType = DType> = D extends "f32" ? Float32Array<ArrayBuffer>
  : Uint32Array<ArrayBuffer>;

/** A range of a buffer with a shape and an element type. It owns nothing: see `createTensor` and `Plan.tensor`. */
export class Tensor<D extends DType = "f32"> {
  /** Number of elements the shape has. */
  readonly size: number;
  /** The last dimension rounded up to a multiple of four. */
  readonly pitch: number;
  /** Number of elements in memory, padding included. */
  readonly length: number;

  /**
   * `shape` is row-major, activations are [N, H, W, C]; `offset` in bytes is a multiple of the device's storage offset
   * alignment. Throws a `RangeError` on an empty or non-integer shape.
   */
  constructor(
    readonly label: string,
    readonly shape: readonly number[],
    readonly dtype: D,
    readonly buffer: GPUBuffer,
    readonly offset = 0,
  ) {
    const { size, pitch, length } = layoutOf(label, shape);
    this.size = size;
    this.pitch = pitch;
    this.length = length;
  }

  /** Bytes in memory, padding included. */
  get bytes(): number {
    return this.length * 4;
  }

  /** The same memory under another shape. Throws a `RangeError` where that shape takes another number of padded elements. */
  reshape(shape: readonly number[]): Tensor<D> {
    const other = new Tensor(this.label, shape, this.dtype, this.buffer, this.offset);
    if (other.length !== this.length) {
      throw new RangeError(
        `Cannot reshape ${this.label} [${this.shape}] to [${shape}]: that takes ${other.length} elements with padding, ` +
          `wanted ${this.length}`,
      );
    }
    return other;
  }

  /** The whole memory as one row, padding included. */
  flat(): Tensor<D> {
    return this.reshape([this.length]);
  }

  /** A tensor of this shape and type at the same place in another buffer, such as a parameter's gradient. */
  within(buffer: GPUBuffer, label: string): Tensor<D> {
    return new Tensor(label, this.shape, this.dtype, buffer, this.offset);
  }
}

/** A tensor of either element type. */
export type AnyTensor = Tensor<DType>;

/** Rounds up to a multiple of four. */
export function alignTo4(size: number): number {
  return Math.ceil(size / 4) * 4;
}

/** Rows and padded length of a shape. Throws a `RangeError` on an empty or non-integer shape. */
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
  return { size: rows * last, pitch: alignTo4(last), length: rows * alignTo4(last) };
}

/** A tensor with a buffer of its own, zero-filled. Whoever creates it destroys it with `destroyTensor`. */
export function createTensor<D extends DType = "f32">(
  gpu: Gpu,
  label: string,
  shape: readonly number[],
  dtype: D = "f32" as D,
): Tensor<D> {
  const bytes = layoutOf(label, shape).length * 4;
  if (bytes > gpu.limits.maxStorageBufferBindingSize) {
    throw new RangeError(
      `Cannot create tensor ${label} [${shape}]: it needs ${bytes} bytes, ` +
        `one binding of this device holds ${gpu.limits.maxStorageBufferBindingSize}`,
    );
  }
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
  return new Tensor(label, [...shape], dtype, gpu.createBuffer(label, bytes, usage));
}

/** Frees a tensor made by `createTensor`. */
export function destroyTensor(gpu: Gpu, tensor: AnyTensor): void {
  gpu.destroyBuffer(tensor.buffer);
}

/** What may be written into a tensor of this type. */
export type ArrayOf<D extends DType> = D extends "f32" ? Float32Array : Uint32Array;

/** Copies `data` (its `size` elements, unpadded, row-major) into the tensor. Throws on another length. */
export function writeTensor<D extends DType>(gpu: Gpu, tensor: Tensor<D>, data: ArrayOf<D>): void {
  if (data.length !== tensor.size) {
    throw new RangeError(
      `Cannot write ${tensor.label} [${tensor.shape}]: got ${data.length} values, wanted ${tensor.size}`,
    );
  }
  writeRows(gpu, tensor, 0, data);
}

/** Uploads whole rows (along the last dimension) from row `first` on; throws a `RangeError` for rows that are not there. */
export function writeRows<D extends DType>(
  gpu: Gpu,
  tensor: Tensor<D>,
  first: number,
  data: ArrayOf<D>,
): void {
  const width = tensor.shape.at(-1) ?? 1;
  const rows = data.length / width;
  if (rows < 1 || !Number.isInteger(rows) || first < 0 || (first + rows) * width > tensor.size) {
    throw new RangeError(
      `Cannot write ${tensor.label} [${tensor.shape}]: got ${data.length} values for row ${first} on`,
    );
  }
  const whole = tensor.pitch === width ? data : padRows(data, tensor);
  // A zero-sized or oversized writeBuffer aborts the process in Deno; both are excluded above.
  const offset = tensor.offset + first * tensor.pitch * 4;
  gpu.device.queue.writeBuffer(tensor.buffer, offset, whole as Float32Array<ArrayBuffer>);
}

/** Copies tensors to others of the same length, on the device. */
export function copyTensors(gpu: Gpu, pairs: readonly (readonly [from: AnyTensor, to: AnyTensor])[]): void {
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

/** What reading a list of tensors gives: an array of the tensor's type for each. */
export type ReadResult<T extends readonly AnyTensor[]> = {
  -readonly [K in keyof T]: TensorData<T[K]["dtype"]>;
};

/** Reads several tensors in one round trip; each result has the tensor's `size` elements, unpadded, of its type. */
export async function readTensors<const T extends readonly AnyTensor[]>(
  gpu: Gpu,
  tensors: T,
): Promise<ReadResult<T>> {
  if (tensors.length === 0) return [] as unknown as ReadResult<T>;
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
    const kind = t.dtype === "f32" ? Float32Array : Uint32Array;
    const values = unpadRows(new kind(bytes, at, t.length), t);
    at += t.length * 4;
    return values;
  }) as unknown as ReadResult<T>;
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
export async function readTensor<D extends DType>(gpu: Gpu, tensor: Tensor<D>): Promise<TensorData<D>> {
  const [values] = await readTensors(gpu, [tensor]);
  return values as TensorData<D>;
}

function padRows(data: Float32Array | Uint32Array, { shape, pitch }: AnyTensor) {
  const last = shape.at(-1)!;
  const length = data.length / last * pitch;
  const out = data instanceof Float32Array ? new Float32Array(length) : new Uint32Array(length);
  // Value by value: rows are often three long, and a subarray each costs more than the copy.
  for (let from = 0, to = 0; from < data.length; to += pitch - last) {
    for (let i = 0; i < last; i++) out[to++] = data[from++]!;
  }
  return out;
}

function unpadRows(data: Float32Array | Uint32Array, { shape, pitch, size }: AnyTensor) {
  const last = shape.at(-1)!;
  const out = data instanceof Float32Array ? new Float32Array(size) : new Uint32Array(size);
  if (last === pitch) {
    out.set(data);
    return out;
  }
  for (let from = 0, to = 0; to < size; from += pitch, to += last) {
    out.set(data.subarray(from, from + last), to);
  }
  return out;
}
