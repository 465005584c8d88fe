/**
 * Requests for an inference in the Open Inference Protocol (REST, version 2, github.com/kserve/open-inference-protocol), with Triton's
 * binary tensor data and classification extensions. Nothing is built for an element before the request's size and shape are known to
 * be ones that the model takes.
 * @module
 */
import { z } from "@hono/zod-openapi";
import { RequestError, tooManyInputs } from "./errors.ts";
import { exceededBound, type JsonBounds } from "./json_bounds.ts";
import * as wire from "./tensor_data.ts";

const parameterSchema = z.union([z.string(), z.number(), z.boolean()]);

/** Names and values; the parameters that this server understands are typed where they are used. */
export const parametersSchema: z.ZodType<Record<string, string | number | boolean>> = z
  .record(z.string(), parameterSchema).openapi("parameters");

/** The elements of a tensor in JSON. */
export const tensorDataSchema: z.ZodType = z.unknown().openapi("tensor_data", {
  type: "array",
  items: {},
  description: "Row-major, flat or nested as the shape says: numbers for FP32, base64 text for BYTES.",
});

const MAX_TENSORS = 16, MAX_DIMENSIONS = 8;

const requestInputSchema = z.object({
  name: z.string().openapi({ example: "input" }),
  shape: z.array(z.int().nonnegative()).min(1).max(MAX_DIMENSIONS).openapi({
    example: [1, 3, 224, 224],
  }),
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
  inputs: z.array(requestInputSchema).min(1).max(MAX_TENSORS),
  outputs: z.array(requestOutputSchema).max(MAX_TENSORS).optional(),
});

/** `$inference_request`, to describe it: `parseInferRequest` reads it. */
export const inferRequestSchema: z.ZodType = requestSchema.openapi("inference_request");

/** The inputs a model has; one of them comes with each request. */
export const INPUT_NAMES = { tensor: "input", photos: "image" } as const;

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

/** A request that the model it was read for takes. */
export interface InferRequest {
  readonly id?: string;
  readonly input: InferInput;
  /** `undefined`: all of them. */
  readonly outputs?: readonly RequestedOutput[];
  /** Whether outputs that say nothing about it are answered as binary data. */
  readonly binaryOutput: boolean;
}

/** What a model takes: a request is read for one. */
export interface ModelInput {
  /** Pixels of a tensor's rows. */
  readonly height: number;
  /** Pixels of a tensor's columns. */
  readonly width: number;
  /** Elements in one request at most: the places of the queue. */
  readonly places: number;
  /** Magnitude of a tensor's numbers at most. */
  readonly largest: number;
}

/**
 * Reads a body whose first `headerLength` bytes are JSON and whose rest is binary tensor data; without a header length all of it is
 * JSON. Throws a `RequestError`: 400, and 413 where it has more elements than a request for this model can have.
 */
export function parseInferRequest(
  body: Uint8Array<ArrayBuffer>,
  headerLength: number | undefined,
  model: ModelInput,
): InferRequest {
  const length = headerLength ?? body.length;
  if (length > body.length) {
    wire.refuse(`the header says ${length} bytes of JSON, the body has ${body.length} bytes`);
  }
  const { id, inputs, outputs, parameters } = parseJson(body.subarray(0, length), model);
  const binaryOutput = parameters?.binary_data_output === true;
  const binary = body.subarray(length);
  return {
    ...(id === undefined ? {} : { id }),
    input: readInput(chooseInput(inputs, model), binary, model),
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

/** What any request may have beside the elements of its tensor, and far more than one needs. */
const BESIDE = { depth: 16, objects: 256, lists: 256, texts: 4096, members: 2048, commas: 4096 } as const;

function boundsFor({ height, width, places }: ModelInput): JsonBounds {
  return {
    ...BESIDE,
    lists: BESIDE.lists + places * (1 + 3 * (1 + height)), // nested as [n, 3, height, width]
    texts: BESIDE.texts + places,
    commas: BESIDE.commas + places * 3 * height * width,
  };
}

function parseJson(bytes: Uint8Array, model: ModelInput): z.infer<typeof requestSchema> {
  const bounds = boundsFor(model);
  const exceeded = exceededBound(bytes, bounds);
  if (exceeded === "depth") wire.refuse(`its JSON is nested deeper than ${bounds.depth} levels`);
  if (exceeded !== undefined) {
    throw new RequestError(
      413,
      `Cannot read the inference request: its JSON has more than ${bounds[exceeded]} ${exceeded}, ` +
        `the most that ${model.places} inputs of this model can have`,
    );
  }
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    wire.refuse(`it is not JSON (${(error as Error).message.slice(0, 200)})`);
  }
  refuseLongLists(value);
  const json = requestSchema.safeParse(value);
  if (!json.success) wire.refuse(z.prettifyError(json.error).replaceAll("\n", " ").slice(0, 500));
  return json.data!;
}

/** The schema would look at every element of a list that is too long, and complain of each. */
function refuseLongLists(value: unknown): void {
  const { inputs, outputs } = Object(value) as Record<string, unknown>;
  for (const [name, list] of [["inputs", inputs], ["outputs", outputs]] as const) {
    if (!Array.isArray(list)) continue;
    if (list.length > MAX_TENSORS) {
      wire.refuse(`it has ${list.length} ${name}, expected ${MAX_TENSORS} at most`);
    }
    for (const tensor of list) {
      const shape: unknown = Object(tensor).shape;
      if (Array.isArray(shape) && shape.length > MAX_DIMENSIONS) {
        wire.refuse(`a shape has ${shape.length} dimensions, expected ${MAX_DIMENSIONS} at most`);
      }
    }
  }
}

type RequestInput = z.infer<typeof requestInputSchema>;

/** The one input, described as the model takes it. Its data are looked at only after this. */
function chooseInput(inputs: readonly RequestInput[], { height, width, places }: ModelInput): RequestInput {
  const [input, another] = inputs;
  const { tensor, photos } = INPUT_NAMES;
  if (input === undefined || another !== undefined || (input.name !== tensor && input.name !== photos)) {
    const names = inputs.map(({ name }) => JSON.stringify(name.slice(0, 40))).join(", ");
    throw new RequestError(
      400,
      `Cannot infer from the inputs ${names}: expected "${tensor}" (FP32) or "${photos}" (BYTES)`,
    );
  }
  const { name, shape, datatype } = input;
  const wanted = name === tensor ? "FP32" : "BYTES";
  if (datatype !== wanted) {
    const got = JSON.stringify(datatype.slice(0, 40));
    throw new RequestError(400, `Cannot infer: input "${name}" has the datatype ${got}, expected ${wanted}`);
  }
  const [count, ...rest] = shape;
  const fits = name === tensor
    ? `${rest}` === `${[3, height, width]}`
    : rest.length === 0 || (rest.length === 1 && rest[0] === 1);
  if (!count || !fits) {
    const expected = name === tensor ? `[n,3,${height},${width}]` : "[n] or [n,1]";
    throw new RequestError(
      400,
      `Cannot infer: input "${name}" has the shape [${shape}], expected ${expected}`,
    );
  }
  if (count > places) throw tooManyInputs(count, places);
  return input;
}

function readInput(
  { name, shape, datatype, parameters, data }: RequestInput,
  binary: Uint8Array<ArrayBuffer>,
  { largest }: ModelInput,
): InferInput {
  const binarySize = parameters?.binary_data_size;
  if ((data === undefined) === (binarySize === undefined)) {
    const problem = data === undefined ? "no data" : "data twice";
    wire.refuse(`input "${name}" has ${problem}, expected "data" or "binary_data_size"`);
  }
  const size = binarySize ?? 0;
  if (size > binary.length) {
    wire.refuse(`input "${name}" has ${size} bytes of binary data, the body has ${binary.length} left`);
  }
  if (size < binary.length) wire.refuse(`${binary.length - size} bytes follow the last input`);
  const tensor = { name, shape, size: shape.reduce((product, length) => product * length, 1) };
  if (datatype === "FP32") {
    const values = binarySize === undefined
      ? wire.floatsFromJson(tensor, data, largest)
      : wire.floatsFromBytes(tensor, binary, largest);
    return { name, shape, datatype, data: values };
  }
  const strings = binarySize === undefined
    ? wire.stringsFromJson(tensor, data)
    : wire.stringsFromBytes(tensor, binary);
  return { name, shape, datatype: "BYTES", data: strings };
}
