/**
 * Answers to an inference in the Open Inference Protocol (REST, version 2), with Triton's binary tensor data and classification
 * extensions.
 * @module
 */
import { z } from "@hono/zod-openapi";
import { concat } from "@std/bytes/concat";
import { ranking } from "../../model/inference/classifier_types.ts";
import { RequestError } from "./errors.ts";
import {
  type InferRequest,
  parametersSchema,
  type RequestedOutput,
  tensorDataSchema,
} from "./infer_request.ts";
import * as wire from "./tensor_data.ts";

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
      datatype: z.enum(["FP32", "BYTES", "BOOL"]),
      parameters: parametersSchema.optional(),
      data: tensorDataSchema.optional(),
    }).openapi("response_output"),
  ),
}).openapi("inference_response");

/** The outputs a model has, and `unknown` where it can tell what is of none of its classes; all are answered when none is named. */
export function outputNames(refuses: boolean): OutputName[] {
  return ["logits", "probabilities", "class", ...refuses ? ["unknown" as const] : []];
}

/** Names of outputs. */
export type OutputName = "logits" | "probabilities" | "class" | "unknown";

/** What the outputs hold. */
export const OUTPUT_TYPES = {
  logits: "FP32",
  probabilities: "FP32",
  class: "BYTES",
  unknown: "BOOL",
} as const;

/** What a model answered: one row per input. */
export interface Answer {
  readonly classes: readonly string[];
  readonly logits: readonly Float32Array[];
  readonly probabilities: readonly Float32Array[];
  /** Whether each is of none of the classes; absent where the model cannot tell. */
  readonly unknown?: readonly boolean[] | undefined;
}

/** An output tensor, row-major. */
type OutputTensor =
  & { readonly name: string; readonly shape: readonly number[] }
  & (
    | { readonly datatype: "FP32"; readonly data: Float32Array }
    | { readonly datatype: "BYTES"; readonly data: readonly string[] }
    | { readonly datatype: "BOOL"; readonly data: readonly boolean[] }
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
    : outputNames(answer.unknown !== undefined).map((name) => ({ name, binary: binaryOutput }));
  const binaries: Uint8Array[] = [];
  const described = wanted.map(({ name, binary, classification }) => {
    const tensor = outputTensor(answer, name, classification);
    const { shape, datatype } = tensor;
    if (!binary) return { name, shape, datatype, data: Array.from<number | string | boolean>(tensor.data) };
    const bytes = tensor.datatype === "FP32"
      ? new Uint8Array(tensor.data.buffer, tensor.data.byteOffset, tensor.data.byteLength)
      : tensor.datatype === "BOOL"
      ? Uint8Array.from(tensor.data, Number)
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
  const { classes, logits, probabilities, unknown } = answer;
  const batch = logits.length;
  if (name === "class" && classification === undefined) {
    const data = probabilities.map((row) => classes[ranking(row)[0]!]!);
    return { name, shape: [batch], datatype: "BYTES", data };
  }
  if (name === "unknown" && unknown && classification === undefined) {
    return { name, shape: [batch], datatype: "BOOL", data: unknown };
  }
  if (name !== "logits" && name !== "probabilities") {
    const known = outputNames(unknown !== undefined);
    const reason = known.includes(name as OutputName)
      ? "cannot be classified further"
      : `is not there; known: ${known.join(", ")}`;
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
