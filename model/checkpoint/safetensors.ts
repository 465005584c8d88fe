/**
 * The safetensors format (github.com/huggingface/safetensors): 8 bytes of header length, a JSON header, raw data.
 * The reader accepts nothing that a correct writer would not produce.
 * @module
 */
import { z } from "zod";
import { CheckpointError } from "./error.ts";

/** Element types that can be read. `I64` is there for PyTorch's counters. */
export type Dtype = "F64" | "F32" | "F16" | "BF16" | "I64";

/** A tensor in memory: row-major, `data.length` is the product of `shape`; [] is a scalar. */
export interface TensorValue {
  /** Sizes, the slowest first. */
  readonly shape: readonly number[];
  /** The values. */
  readonly data: Float32Array;
}

/** What a file holds. Values of other types than F32 are converted; names in the file's order of data. */
export interface Safetensors {
  /** `__metadata__`. */
  readonly metadata: Readonly<Record<string, string>>;
  /** By name. */
  readonly tensors: Map<string, TensorValue & { readonly dtype: Dtype }>;
}

const BYTES: Readonly<Record<Dtype, number>> = { F64: 8, I64: 8, F32: 4, F16: 2, BF16: 2 };
const MAX_HEADER = 100_000_000;

const natural = z.int().nonnegative();
const entrySchema = z.object({
  dtype: z.string(),
  shape: z.array(natural),
  data_offsets: z.tuple([natural, natural]),
});

/**
 * Reads a whole file. `name` is what errors call it. Throws a `CheckpointError` for a header that is no JSON object
 * of tensors or is over 100 MB, unknown types, sizes that disagree with shapes, and data that the tensors do not
 * tile exactly. F32 tensors may share memory with `bytes`.
 */
export function parseSafetensors(bytes: Uint8Array, name = "safetensors data"): Safetensors {
  const fail = (reason: string): never => {
    throw new CheckpointError(`Cannot read ${name}: ${reason}`);
  };
  if (bytes.length < 8) fail(`it has ${bytes.length} bytes, wanted at least 8 for the header's length`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = view.getBigUint64(0, true);
  // Any text begins with bytes that would be such a length.
  if (length > MAX_HEADER) {
    fail(
      `it is no safetensors file (its header would have ${length} bytes by its first 8, wanted at most ${MAX_HEADER})`,
    );
  }
  const start = 8 + Number(length);
  if (start > bytes.length) fail(`its header claims ${length} bytes, ${bytes.length - 8} follow`);
  const header = parseHeader(bytes.subarray(8, start), fail);

  const { __metadata__, ...entries } = header;
  const metadata = __metadata__ ?? {};
  if (!isStrings(metadata)) return fail("its __metadata__ is not an object of strings");
  const room = bytes.length - start;
  const placed = Object.entries(entries).map(([tensor, entry]) => place(tensor, entry, fail))
    .sort((a, b) => a.begin - b.begin || a.end - b.end);
  let at = 0;
  for (const { tensor, begin, end } of placed) {
    if (begin < at) fail(`tensor ${tensor} starts at byte ${begin} inside the one before it, wanted ${at}`);
    if (begin > at) fail(`tensor ${tensor} starts at byte ${begin} after a gap, wanted ${at}`);
    if (end > room) fail(`tensor ${tensor} ends at byte ${end}, the data has ${room}`);
    at = end;
  }
  if (at < room) fail(`${room - at} bytes follow the last tensor, wanted none`);
  const tensors: Safetensors["tensors"] = new Map();
  for (const { tensor, dtype, shape, begin, end } of placed) {
    const raw = bytes.subarray(start + begin, start + end);
    tensors.set(tensor, { dtype, shape, data: toFloats(raw, dtype) });
  }
  return { metadata, tensors };
}

/**
 * A whole file. Tensors come in the map's order, `I64` ones first so that all data is aligned; `integers` names
 * those to write as I64. The header is padded with spaces to a multiple of 8 bytes.
 */
export function writeSafetensors(
  tensors: ReadonlyMap<string, TensorValue>,
  metadata: Readonly<Record<string, string>> = {},
  integers: (name: string) => boolean = () => false,
): Uint8Array<ArrayBuffer> {
  const order = [...tensors].map(([name, tensor]) => ({ name, ...tensor, wide: integers(name) }))
    .sort((a, b) => Number(b.wide) - Number(a.wide));
  let at = 0;
  const entries = order.map(({ name, shape, data, wide }) => {
    const count = shape.reduce((a, b) => a * b, 1);
    if (name === "__metadata__" || count !== data.length) {
      throw new CheckpointError(
        `Cannot write tensor ${name}: it has ${data.length} values, its shape [${shape}] wants ${count}`,
      );
    }
    const begin = at;
    at += count * (wide ? 8 : 4);
    return [name, { dtype: wide ? "I64" : "F32", shape, data_offsets: [begin, at] }] as const;
  });
  const json = JSON.stringify(Object.fromEntries([["__metadata__", metadata], ...entries]));
  const text = new TextEncoder().encode(json);
  const header = Math.ceil(text.length / 8) * 8;
  const bytes = new Uint8Array(8 + header + at);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(header), true);
  bytes.fill(0x20, 8, 8 + header).set(text, 8);
  let to = 8 + header;
  for (const { data, wide } of order) {
    const raw = wide ? BigInt64Array.from(data, (v) => BigInt(v)) : data;
    bytes.set(new Uint8Array(raw.buffer, raw.byteOffset, raw.byteLength), to);
    to += raw.byteLength;
  }
  return bytes;
}

function parseHeader(bytes: Uint8Array, fail: (reason: string) => never): Record<string, unknown> {
  let text = "", header: unknown;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    header = JSON.parse(text);
  } catch {
    fail("its header is not valid JSON");
  }
  if (!text.startsWith("{") || typeof header !== "object" || header === null) {
    fail("its header is not a JSON object");
  }
  const twice = repeatedKey(text);
  if (twice !== undefined) fail(`its header names ${twice} twice`);
  return header as Record<string, unknown>;
}

/** The first key that an object of this valid JSON text has twice: `JSON.parse` keeps the last one silently. */
function repeatedKey(json: string): string | undefined {
  const open: (Set<string> | undefined)[] = []; // one per open bracket, undefined for an array
  const tokens = /"(?:[^"\\]|\\.)*"(\s*:)?|[{}[\]]/g;
  for (const [token, colon] of json.matchAll(tokens)) {
    if (token === "{") open.push(new Set());
    else if (token === "[") open.push(undefined);
    else if (token === "}" || token === "]") open.pop();
    else if (colon !== undefined) {
      const key = JSON.parse(token.slice(0, -colon.length)) as string;
      const keys = open.at(-1)!;
      if (keys.has(key)) return key;
      keys.add(key);
    }
  }
  return undefined;
}

function place(tensor: string, entry: unknown, fail: (reason: string) => never) {
  const parsed = entrySchema.safeParse(entry);
  if (!parsed.success) return fail(`tensor ${tensor} lacks a readable dtype, shape and data_offsets`);
  const { dtype, shape, data_offsets: [begin, end] } = parsed.data;
  if (!isDtype(dtype)) {
    return fail(`tensor ${tensor} is of type ${dtype}, wanted one of ${Object.keys(BYTES).join(", ")}`);
  }
  const wanted = shape.reduce((a, b) => a * b, 1) * BYTES[dtype];
  if (end - begin !== wanted) {
    fail(`tensor ${tensor} has ${end - begin} bytes, its shape [${shape}] of ${dtype} wants ${wanted}`);
  }
  return { tensor, dtype, shape, begin, end };
}

/** Zod's `record` would leave out a key called `__proto__`. */
function isStrings(value: unknown): value is Record<string, string> {
  return typeof value === "object" && value !== null && !Array.isArray(value) &&
    Object.values(value).every((text) => typeof text === "string");
}

function isDtype(dtype: string): dtype is Dtype {
  return Object.hasOwn(BYTES, dtype);
}

function toFloats(raw: Uint8Array, dtype: Dtype): Float32Array {
  const count = raw.byteLength / BYTES[dtype];
  const aligned = raw.byteOffset % BYTES[dtype] === 0 ? raw : raw.slice();
  const args = [aligned.buffer as ArrayBuffer, aligned.byteOffset, count] as const;
  switch (dtype) {
    case "F32":
      return new Float32Array(...args);
    case "F64":
      return Float32Array.from(new Float64Array(...args));
    case "F16":
      return Float32Array.from(new Float16Array(...args));
    case "BF16": // the upper half of an F32
      return new Float32Array(Uint32Array.from(new Uint16Array(...args), (half) => half << 16).buffer);
    case "I64":
      return Float32Array.from(new BigInt64Array(...args), Number);
  }
}
