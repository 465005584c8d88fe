/**
 * The messages of an inference call in the Open Inference Protocol (REST, version 2, github.com/kserve/open-inference-protocol), with
 * Triton's binary tensor data and classification extensions: requests are read, responses are written.
 * @module
 */
import { z } from "@hono/zod-openapi";
import { concat } from "@std/bytes/concat";
import { ranking } from "../../model/inference/classifier_types.ts";
import { RequestError } from "./errors.ts";
import * as wire from "./tensor_data.ts";

const parameterSchema = z.union([z.string(), z.number(), z.boolean()]);

/** Names and values; the parameters that this server understands are typed where they are used. */
export const parametersSchema: z.ZodType<Record<string, string | number | boolean>> = z
  .record(z.string(), parameterSchema).openapi("parameters");

const tensorDataSchema = z.unknown().openapi("tensor_data", {
  type: "array",
  items: {},
  description: "Row-major, flat or nested as the shape says: numbers for FP32, base64 text for BYTES.",
});

const requestInputSchema = z.object({
  name: z.string().openapi({ example: "input" }),
  shape: z.array(z.int().nonnegative()).min(1).max(8).openapi({ example: [1, 3, 224, 224] }),
  datatype: z.string().openapi({ example: "FP32" }),
  parameters: parametersSchema.and(z.object({ binary_data_size: z.int().nonnegative().optional() }))
    .optional(),
  data: tensorDataSchema.optional(),
}).openapi("request_input");

const requestOutputSchema = z.object({
  name: z.string().openapi({ example: "probabilities" }),
  parameters: z.object({
    binary_data: z.boolean().optional(),
    classification: z.int().positive().optional(),
  }).catchall(parameterSchema).optional(),
}).openapi("request_output");

const requestSchema = z.object({
  id: z.string().optional(),
  parameters: z.object({ binary_data_output: z.boolean().optional() }).catchall(parameterSchema).optional(),
  inputs: z.array(requestInputSchema).min(1).max(16),
  outputs: z.array(requestOutputSchema).max(16).optional(),
});

/** `$inference_request`, to describe it: `parseInferRequest` reads it. */
export const inferRequestSchema: z.ZodType = requestSchema.openapi("inference_request");

/** `$inference_response`. */
export const inferResponseSchema: z.ZodType = z.object({
  model_name: z.string(),
  model_version: z.string().optional(),
  id: z.string().optional(),
  parameters: parametersSchema.optional(),
  outputs: z.array(
    z.object({
      name: z.string(),
      shape: z.array(z.int()),
      datatype: z.enum(["FP32", "BYTES"]),
      parameters: parametersSchema.optional(),
      data: tensorDataSchema.optional(),
    }).openapi("response_output"),
  ),
}).openapi("inference_response");

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
 * JSON. Throws a `RequestError` with status 400.
 */
export function parseInferRequest(body: Uint8Array<ArrayBuffer>, headerLength = body.length): InferRequest {
  if (headerLength > body.length) {
    wire.refuse(`the header says ${headerLength} bytes of JSON, the body has ${body.length} bytes`);
  }
  const json = requestSchema.safeParse(parseJson(body.subarray(0, headerLength)));
  if (!json.success) wire.refuse(z.prettifyError(json.error).replaceAll("\n", " ").slice(0, 500));
  const { id, inputs, outputs, parameters } = json.data!;
  const binaryOutput = parameters?.binary_data_output === true;
  let rest = body.subarray(headerLength);
  const takeBinary = (name: string, size: number) => {
    if (size > rest.length) {
      wire.refuse(`input "${name}" has ${size} bytes of binary data, the body has ${rest.length} left`);
    }
    const bytes = rest.subarray(0, size);
    rest = rest.subarray(size);
    return bytes;
  };
  const read = inputs.map((input) => readInput(input, takeBinary));
  if (rest.length > 0) wire.refuse(`${rest.length} bytes follow the last input`);
  return {
    ...(id === undefined ? {} : { id }),
    inputs: read,
    ...(outputs === undefined ? {} : {
      outputs: outputs.map(({ name, parameters }) => ({
        name,
        binary: parameters?.binary_data ?? binaryOutput,
        ...(parameters?.classification === undefined ? {} : { classification: parameters.classification }),
      })),
    }),
    binaryOutput,
  };
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    wire.refuse(`it is not JSON (${(error as Error).message.slice(0, 200)})`);
  }
}

function readInput(
  { name, shape, datatype, parameters, data }: z.infer<typeof requestInputSchema>,
  takeBinary: (name: string, size: number) => Uint8Array<ArrayBuffer>,
): InferInput {
  const size = shape.reduce((product, length) => product * length, 1);
  if (!Number.isSafeInteger(size)) {
    wire.refuse(`input "${name}" has the shape [${shape}], expected one that fits in memory`);
  }
  const binarySize = parameters?.binary_data_size;
  if ((data === undefined) === (binarySize === undefined)) {
    const problem = data === undefined ? "no data" : "data twice";
    wire.refuse(`input "${name}" has ${problem}, expected "data" or "binary_data_size"`);
  }
  if (datatype !== "FP32" && datatype !== "BYTES") {
    wire.refuse(`input "${name}" has the datatype ${JSON.stringify(datatype)}, expected FP32 or BYTES`);
  }
  const tensor = { name, shape, size };
  const bytes = binarySize === undefined ? undefined : takeBinary(name, binarySize);
  if (datatype === "FP32") {
    const values = bytes === undefined
      ? wire.floatsFromJson(tensor, data)
      : wire.floatsFromBytes(tensor, bytes);
    return { name, shape, datatype, data: values };
  }
  const strings = bytes === undefined
    ? wire.stringsFromJson(tensor, data)
    : wire.stringsFromBytes(tensor, bytes);
  return { name, shape, datatype, data: strings };
}

/** The inputs a model has; one of them comes with each request. */
export const INPUT_NAMES = { tensor: "input", photos: "image" } as const;

/** The outputs a model has; all are answered when none is named. */
export const OUTPUT_NAMES = ["logits", "probabilities", "class"] as const;

/** What a model answered: one row per input. */
export interface Answer {
  readonly classes: readonly string[];
  readonly logits: readonly Float32Array[];
  readonly probabilities: readonly Float32Array[];
}

/** An output tensor, row-major. */
type OutputTensor =
  & { readonly name: string; readonly shape: readonly number[] }
  & (
    | { readonly datatype: "FP32"; readonly data: Float32Array }
    | { readonly datatype: "BYTES"; readonly data: readonly string[] }
  );

/** The body of a response, with the headers that belong to it. */
export interface WrittenResponse {
  readonly body: string | Uint8Array<ArrayBuffer>;
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * Puts `$inference_response` together, with the outputs that were asked for, or all of them: JSON alone, or JSON followed by the binary
 * data of the outputs that want it. Throws a `RequestError`, 400, for an output there is not.
 */
export function writeInferResponse(
  model: { readonly name: string; readonly version: string },
  answer: Answer,
  { id, outputs = [], binaryOutput }: InferRequest,
): WrittenResponse {
  const wanted: readonly RequestedOutput[] = outputs.length > 0
    ? outputs
    : OUTPUT_NAMES.map((name) => ({ name, binary: binaryOutput }));
  const binaries: Uint8Array[] = [];
  const described = wanted.map(({ name, binary, classification }) => {
    const tensor = outputTensor(answer, name, classification);
    const { shape, datatype } = tensor;
    if (!binary) return { name, shape, datatype, data: Array.from<number | string>(tensor.data) };
    const bytes = tensor.datatype === "FP32"
      ? new Uint8Array(tensor.data.buffer, tensor.data.byteOffset, tensor.data.byteLength)
      : wire.stringsToBytes(tensor.data);
    binaries.push(bytes);
    return { name, shape, datatype, parameters: { binary_data_size: bytes.length } };
  });
  const head = { model_name: model.name, model_version: model.version, ...(id === undefined ? {} : { id }) };
  const json = JSON.stringify({ ...head, outputs: described });
  if (binaries.length === 0) return { body: json, headers: { "Content-Type": "application/json" } };
  const header = new TextEncoder().encode(json);
  const headers = {
    "Content-Type": "application/octet-stream",
    "Inference-Header-Content-Length": String(header.length),
  };
  return { body: concat([header, ...binaries]), headers };
}

function outputTensor(answer: Answer, name: string, classification: number | undefined): OutputTensor {
  const { classes, logits, probabilities } = answer;
  const batch = logits.length;
  if (name === "class" && classification === undefined) {
    const data = probabilities.map((row) => classes[ranking(row)[0]!]!);
    return { name, shape: [batch], datatype: "BYTES", data };
  }
  if (name !== "logits" && name !== "probabilities") {
    const reason = name === "class"
      ? "cannot be classified further"
      : `is not there; known: ${OUTPUT_NAMES.join(", ")}`;
    throw new RequestError(400, `Cannot answer: output ${JSON.stringify(name)} ${reason}`);
  }
  const rows = name === "logits" ? logits : probabilities;
  if (classification !== undefined) {
    const count = Math.min(classification, classes.length);
    const data = rows.flatMap((row) =>
      ranking(row).slice(0, count).map((k) => `${row[k]}:${k}:${classes[k]}`)
    );
    return { name, shape: [batch, count], datatype: "BYTES", data };
  }
  const data = new Float32Array(batch * classes.length);
  rows.forEach((row, n) => data.set(row, n * classes.length));
  return { name, shape: [batch, classes.length], datatype: "FP32", data };
}
