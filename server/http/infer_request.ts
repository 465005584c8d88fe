/**
 * Reads inference requests of the Open Inference Protocol: JSON tensors, and Triton's binary tensor data extension.
 * https://github.com/kserve/open-inference-protocol and Triton's docs/protocol/extension_binary_data.md
 * @module
 */
import { z } from "zod";
import { HttpError } from "./errors.ts";
import { inferRequestSchema } from "./infer_schemas.ts";

/** An input tensor: the bytes of its numbers (row-major, little-endian, at any offset), or one byte string per element. */
export type InferInput =
  & { readonly name: string; readonly shape: readonly number[] }
  & (
    | { readonly datatype: "FP32"; readonly data: Uint8Array<ArrayBuffer> }
    | { readonly datatype: "BYTES"; readonly data: readonly Uint8Array<ArrayBuffer>[] }
  );

/** An output that was asked for. */
export interface RequestedOutput {
  readonly name: string;
  readonly binary: boolean;
  /** With the classification extension: how many of the largest values to tell, with their labels. */
  readonly classification?: number;
}

/** A request whose tensors agree with their own shapes; whether the model takes them is another question. */
export interface InferRequest {
  readonly id?: string;
  readonly inputs: readonly InferInput[];
  /** `undefined`: all of them. */
  readonly outputs?: readonly RequestedOutput[];
  /** Whether outputs that say nothing about it are answered as binary data. */
  readonly binaryOutput: boolean;
}

/**
 * Reads a body whose first `headerLength` bytes are JSON and whose rest is binary tensor data; without a header length all of it is
 * JSON. Throws an `HttpError` with status 400.
 */
export function parseInferRequest(body: Uint8Array<ArrayBuffer>, headerLength = body.length): InferRequest {
  if (headerLength > body.length) {
    fail(`the header says ${headerLength} bytes of JSON, the body has ${body.length} bytes`);
  }
  const json = inferRequestSchema.safeParse(parseJson(body.subarray(0, headerLength)));
  if (!json.success) fail(z.prettifyError(json.error).replaceAll("\n", " ").slice(0, 500));
  const { id, inputs, outputs, parameters } = json.data!;
  const binaryOutput = parameters?.binary_data_output === true;
  let rest = body.subarray(headerLength);
  const takeBinary = (name: string, size: number) => {
    if (size > rest.length) {
      fail(`input "${name}" has ${size} bytes of binary data, the body has ${rest.length} left`);
    }
    const bytes = rest.subarray(0, size);
    rest = rest.subarray(size);
    return bytes;
  };
  const read = inputs.map((input) => readInput(input, takeBinary));
  if (rest.length > 0) fail(`${rest.length} bytes follow the last input`);
  return {
    ...(id === undefined ? {} : { id }),
    inputs: read,
    ...(outputs === undefined ? {} : {
      outputs: outputs.map(({ name, parameters }) => ({
        name,
        binary: parameters?.binary_data ?? binaryOutput,
        ...(parameters?.classification === undefined ? {} : {
          classification: parameters.classification,
        }),
      })),
    }),
    binaryOutput,
  };
}

function fail(problem: string): never {
  throw new HttpError(400, `Cannot read the inference request: ${problem}`);
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    fail(`it is not JSON (${(error as Error).message.slice(0, 200)})`);
  }
}

type JsonInput = z.infer<typeof inferRequestSchema>["inputs"][number];

function readInput(
  { name, shape, datatype, parameters, data }: JsonInput,
  takeBinary: (name: string, size: number) => Uint8Array<ArrayBuffer>,
): InferInput {
  const size = shape.reduce((product, length) => product * length, 1);
  if (!Number.isSafeInteger(size)) {
    fail(`input "${name}" has the shape [${shape}], expected one that fits in memory`);
  }
  const binarySize = parameters?.binary_data_size;
  if ((data === undefined) === (binarySize === undefined)) {
    fail(
      `input "${name}" has ${
        data === undefined ? "no data" : "data twice"
      }, expected "data" or "binary_data_size"`,
    );
  }
  switch (datatype) {
    case "FP32": {
      const bytes = binarySize === undefined
        ? floatsOf(name, shape, size, data)
        : floatsFrom(name, size, takeBinary(name, binarySize));
      const bad = firstNotFinite(bytes);
      if (bad !== undefined) {
        fail(`input "${name}" has ${bad.value} at ${bad.index}, expected finite numbers`);
      }
      return { name, shape, datatype, data: bytes };
    }
    case "BYTES":
      return {
        name,
        shape,
        datatype,
        data: binarySize === undefined
          ? stringsOf(name, shape, size, data)
          : stringsFrom(name, size, takeBinary(name, binarySize)),
      };
    default:
      return fail(`input "${name}" has the datatype ${JSON.stringify(datatype)}, expected FP32 or BYTES`);
  }
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

function floatsFrom(name: string, size: number, bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  if (bytes.length !== size * 4) {
    fail(`input "${name}" has ${bytes.length} bytes of binary data, its shape wants ${size * 4}`);
  }
  return bytes;
}

function floatsOf(
  name: string,
  shape: readonly number[],
  size: number,
  data: unknown,
): Uint8Array<ArrayBuffer> {
  const elements = flatten(name, shape, size, data);
  const values = new Float32Array(size);
  for (let i = 0; i < size; i++) {
    const element = elements[i];
    if (typeof element !== "number") fail(`input "${name}" has ${brief(element)} at ${i}, expected a number`);
    values[i] = element;
  }
  return new Uint8Array(values.buffer);
}

/** Each element is a 4-byte little-endian length and that many bytes. */
function stringsFrom(name: string, size: number, bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer>[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const elements: Uint8Array<ArrayBuffer>[] = [];
  let at = 0;
  while (at < bytes.length && elements.length < size) {
    const length = at + 4 <= bytes.length ? view.getUint32(at, true) : Infinity;
    if (at + 4 + length > bytes.length) fail(`input "${name}" ends within its element ${elements.length}`);
    elements.push(bytes.slice(at + 4, at + 4 + length));
    at += 4 + length;
  }
  if (elements.length !== size || at !== bytes.length) {
    const rest = bytes.length - at;
    fail(`input "${name}" has ${elements.length} elements and ${rest} bytes more, its shape wants ${size}`);
  }
  return elements;
}

function stringsOf(
  name: string,
  shape: readonly number[],
  size: number,
  data: unknown,
): Uint8Array<ArrayBuffer>[] {
  return flatten(name, shape, size, data).map((element, i) => {
    if (typeof element !== "string") {
      fail(`input "${name}" has ${brief(element)} at ${i}, expected base64 text`);
    }
    try {
      return Uint8Array.fromBase64(element);
    } catch {
      return fail(`input "${name}" has text that is not base64 at ${i}`);
    }
  });
}

/** The elements in row-major order, from a flat list or from lists nested as the shape says. */
function flatten(name: string, shape: readonly number[], size: number, data: unknown): unknown[] {
  if (!Array.isArray(data)) fail(`input "${name}" has ${brief(data)} as data, expected a list`);
  let level: unknown[] = data;
  if (data.length === size && !data.some(Array.isArray)) return level;
  for (const [depth, length] of shape.entries()) {
    const below = shape[depth + 1];
    if (depth === 0 && level.length !== length) {
      fail(`input "${name}" has ${level.length} rows, its shape wants ${length}`);
    }
    if (below === undefined) break;
    const next: unknown[] = [];
    for (const part of level) {
      if (!Array.isArray(part) || part.length !== below) {
        const what = Array.isArray(part) ? `a list of ${part.length}` : brief(part);
        fail(`input "${name}" has ${what} in dimension ${depth + 1}, its shape wants a list of ${below}`);
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
