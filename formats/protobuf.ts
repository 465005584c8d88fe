/**
 * Protocol Buffers' wire format (protobuf.dev/programming-guides/encoding), as much of it as writing ONNX and TensorBoard's events takes.
 * Large byte fields are kept by reference and copied once, by `concatenate`.
 * @module
 */

/** An encoded message: chunks that follow one another. */
export interface Message {
  readonly length: number;
  readonly chunks: readonly Uint8Array[];
}

const utf8 = new TextEncoder();

/** A message of these fields, in order. */
export function message(...fields: readonly Message[]): Message {
  return {
    length: fields.reduce((sum, f) => sum + f.length, 0),
    chunks: fields.flatMap((f) => f.chunks),
  };
}

/** An integer field (int64, enum): a natural number up to 2^53. */
export function integer(field: number, value: number): Message {
  return chunk([...varint(field * 8), ...varint(value)]);
}

/** A float field. */
export function float(field: number, value: number): Message {
  return chunk([...varint(field * 8 + 5), ...new Uint8Array(Float32Array.of(value).buffer)]);
}

/** A double field. */
export function double(field: number, value: number): Message {
  return chunk([...varint(field * 8 + 1), ...new Uint8Array(Float64Array.of(value).buffer)]);
}

/** A string field. */
export function text(field: number, value: string): Message {
  return bytes(field, utf8.encode(value));
}

/** A bytes field. */
export function bytes(field: number, value: Uint8Array): Message {
  return submessage(field, { length: value.length, chunks: [value] });
}

/** A field that is a message itself. */
export function submessage(field: number, value: Message): Message {
  return message(chunk([...varint(field * 8 + 2), ...varint(value.length)]), value);
}

/** The message as one array. */
export function concatenate({ length, chunks }: Message): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(length);
  let at = 0;
  for (const part of chunks) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

function chunk(values: readonly number[]): Message {
  return { length: values.length, chunks: [Uint8Array.from(values)] };
}

/** Seven bits a byte, least significant first. */
function varint(value: number): number[] {
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new RangeError(`Cannot encode ${value}: wanted a natural number`);
  }
  const out: number[] = [];
  for (; value > 127; value = Math.floor(value / 128)) out.push(value % 128 + 128);
  out.push(value);
  return out;
}
