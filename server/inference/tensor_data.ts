/**
 * The data of tensors on the wire, read and written: lists in JSON, and the bytes of Triton's binary tensor data extension
 * (docs/protocol/extension_binary_data.md in its server's repository).
 * @module
 */
import { concat } from "@std/bytes/concat";
import { firstBeyondIn } from "../../model/checkpoint/finite.ts";
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

/** The bytes of a list of numbers, flat or nested as the shape says: float32, row-major. Refuses magnitudes over `largest`, and NaN. */
export function floatsFromJson(
  tensor: TensorShape,
  data: unknown,
  largest: number,
): Uint8Array<ArrayBuffer> {
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
  return within(tensor, new Uint8Array(values.buffer), largest);
}

/** The bytes as they came, at whatever offset they lie: float32, row-major, little-endian. Refuses magnitudes over `largest`, and NaN. */
export function floatsFromBytes(
  tensor: TensorShape,
  bytes: Uint8Array<ArrayBuffer>,
  largest: number,
): Uint8Array<ArrayBuffer> {
  const { name, size } = tensor;
  if (bytes.length !== size * 4) {
    refuse(`input "${name}" has ${bytes.length} bytes of binary data, its shape wants ${size * 4}`);
  }
  return within(tensor, bytes, largest);
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

function within(
  { name }: TensorShape,
  bytes: Uint8Array<ArrayBuffer>,
  largest: number,
): Uint8Array<ArrayBuffer> {
  const bad = firstBeyondIn(bytes, largest);
  if (bad !== undefined) {
    refuse(
      `input "${name}" has ${bad.value} at ${bad.index}, expected finite numbers from ${-largest} to ${largest}`,
    );
  }
  return bytes;
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

/** A value for an error's sentence: the beginning of a text, and of a list only that it is one, since it may be long. */
function brief(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object" && value !== null) return "an object";
  if (typeof value === "string" && value.length > 40) return `${JSON.stringify(value.slice(0, 40))}…`;
  return JSON.stringify(value) ?? "nothing";
}
