/**
 * The data of tensors on the wire, read and written: lists in JSON, and the bytes of Triton's binary tensor data extension
 * (docs/protocol/extension_binary_data.md in its server's repository).
 * @module
 */
import { concat } from "@std/bytes/concat";
import { RequestError } from "./errors.ts";

/** What a tensor is called, its shape, and the number of elements that follows from it. */
export interface TensorShape {
  readonly name: string;
  readonly shape: readonly number[];
  readonly size: number;
}

/** Throws a `RequestError` with status 400: what is wrong with an inference request. */
export function refuse(problem: string): never {
  throw new RequestError(400, `Cannot read the inference request: ${problem}`);
}

/** The bytes of a list of numbers, flat or nested as the shape says: float32, row-major. Refuses what is not finite. */
export function floatsFromJson(tensor: TensorShape, data: unknown): Uint8Array<ArrayBuffer> {
  const { name, size } = tensor;
  const elements = flatten(tensor, data);
  const values = new Float32Array(size);
  for (let i = 0; i < size; i++) {
    const element = elements[i];
    if (typeof element !== "number") {
      refuse(`input "${name}" has ${brief(element)} at ${i}, expected a number`);
    }
    values[i] = element;
  }
  return finite(tensor, new Uint8Array(values.buffer));
}

/** The bytes as they came, at whatever offset they lie: float32, row-major, little-endian. Refuses what is not finite. */
export function floatsFromBytes(
  tensor: TensorShape,
  bytes: Uint8Array<ArrayBuffer>,
): Uint8Array<ArrayBuffer> {
  const { name, size } = tensor;
  if (bytes.length !== size * 4) {
    refuse(`input "${name}" has ${bytes.length} bytes of binary data, its shape wants ${size * 4}`);
  }
  return finite(tensor, bytes);
}

/** The byte strings of a list of base64 texts, flat or nested as the shape says. */
export function stringsFromJson(tensor: TensorShape, data: unknown): Uint8Array<ArrayBuffer>[] {
  const { name } = tensor;
  return flatten(tensor, data).map((element, i) => {
    if (typeof element !== "string") {
      refuse(`input "${name}" has ${brief(element)} at ${i}, expected base64 text`);
    }
    try {
      return Uint8Array.fromBase64(element);
    } catch {
      return refuse(`input "${name}" has text that is not base64 at ${i}`);
    }
  });
}

/** The byte strings of binary data: each a 4-byte little-endian length and that many bytes. */
export function stringsFromBytes(
  { name, size }: TensorShape,
  bytes: Uint8Array<ArrayBuffer>,
): Uint8Array<ArrayBuffer>[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const elements: Uint8Array<ArrayBuffer>[] = [];
  let at = 0;
  while (at < bytes.length && elements.length < size) {
    const length = at + 4 <= bytes.length ? view.getUint32(at, true) : Infinity;
    if (at + 4 + length > bytes.length) refuse(`input "${name}" ends within its element ${elements.length}`);
    elements.push(bytes.slice(at + 4, at + 4 + length));
    at += 4 + length;
  }
  if (elements.length !== size || at !== bytes.length) {
    const rest = bytes.length - at;
    refuse(`input "${name}" has ${elements.length} elements and ${rest} bytes more, its shape wants ${size}`);
  }
  return elements;
}

/** Texts as binary data: each a 4-byte little-endian length and its UTF-8. */
export function stringsToBytes(texts: readonly string[]): Uint8Array<ArrayBuffer> {
  return concat(texts.flatMap((text) => {
    const bytes = new TextEncoder().encode(text);
    const length = new Uint8Array(4);
    new DataView(length.buffer).setUint32(0, bytes.length, true);
    return [length, bytes];
  }));
}

function finite({ name }: TensorShape, bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const bad = firstNotFinite(bytes);
  if (bad !== undefined) refuse(`input "${name}" has ${bad.value} at ${bad.index}, expected finite numbers`);
  return bytes;
}

/** Bytes lie at any offset, floats must not: values are looked at here, a piece at a time. */
const piece = new Float32Array(16_384);

/** The first NaN or infinity. Little-endian, as every machine this runs on is. */
function firstNotFinite(bytes: Uint8Array): { index: number; value: number } | undefined {
  const pieceBytes = new Uint8Array(piece.buffer);
  for (let at = 0; at < bytes.length; at += pieceBytes.length) {
    const part = bytes.subarray(at, at + pieceBytes.length);
    pieceBytes.set(part);
    pieceBytes.fill(0, part.length);
    // Nought times anything finite is nought. Four sums, since each waits for its last addition; Number.isFinite takes ten times as long.
    let a = 0, b = 0, c = 0, d = 0;
    for (let i = 0; i < piece.length; i += 4) {
      a += piece[i]! * 0;
      b += piece[i + 1]! * 0;
      c += piece[i + 2]! * 0;
      d += piece[i + 3]! * 0;
    }
    if (a + b + c + d !== 0) {
      const bad = piece.findIndex((value) => !Number.isFinite(value));
      return { index: at / 4 + bad, value: piece[bad]! };
    }
  }
  return undefined;
}

/** The elements in row-major order, from a flat list or from lists nested as the shape says. */
function flatten({ name, shape, size }: TensorShape, data: unknown): unknown[] {
  if (!Array.isArray(data)) refuse(`input "${name}" has ${brief(data)} as data, expected a list`);
  let level: unknown[] = data;
  if (data.length === size && !data.some(Array.isArray)) return level;
  for (const [depth, length] of shape.entries()) {
    const below = shape[depth + 1];
    if (depth === 0 && level.length !== length) {
      refuse(`input "${name}" has ${level.length} rows, its shape wants ${length}`);
    }
    if (below === undefined) break;
    const next: unknown[] = [];
    for (const part of level) {
      if (!Array.isArray(part) || part.length !== below) {
        const what = Array.isArray(part) ? `a list of ${part.length}` : brief(part);
        refuse(`input "${name}" has ${what} in dimension ${depth + 1}, its shape wants a list of ${below}`);
      }
      for (const element of part) next.push(element);
    }
    level = next;
  }
  return level;
}

function brief(value: unknown): string {
  const text = JSON.stringify(value) ?? "nothing";
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}
