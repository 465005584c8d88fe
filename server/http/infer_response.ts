/**
 * Writes inference responses of the Open Inference Protocol: JSON tensors, Triton's binary tensor data and classification extensions.
 * @module
 */
import { HttpError } from "./errors.ts";
import type { RequestedOutput } from "./infer_request.ts";

/** An output tensor, row-major. */
export type OutputTensor =
  & { readonly name: string; readonly shape: readonly number[] }
  & (
    | { readonly datatype: "FP32"; readonly data: Float32Array }
    | { readonly datatype: "BYTES"; readonly data: readonly string[] }
  );

/** The outputs a model has; all are answered when none is named. */
export const OUTPUT_NAMES = ["logits", "probabilities", "class"] as const;

/** One row per input. */
export interface Answer {
  readonly classes: readonly string[];
  readonly logits: readonly Float32Array[];
  readonly probabilities: readonly Float32Array[];
}

/** An output with how it is to be written. */
export interface WrittenOutput {
  readonly tensor: OutputTensor;
  readonly binary: boolean;
}

/** What was asked for, or all of it. Throws an `HttpError`, 400, for an output there is not. */
export function selectOutputs(
  answer: Answer,
  { outputs, binaryOutput }: { outputs?: readonly RequestedOutput[]; binaryOutput: boolean },
): WrittenOutput[] {
  const wanted: readonly RequestedOutput[] = outputs !== undefined && outputs.length > 0
    ? outputs
    : OUTPUT_NAMES.map((name) => ({ name, binary: binaryOutput }));
  return wanted.map(({ name, binary, classification }) => ({
    tensor: makeOutput(answer, name, classification),
    binary,
  }));
}

function makeOutput(answer: Answer, name: string, classification: number | undefined): OutputTensor {
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
    throw new HttpError(400, `Cannot answer: output ${JSON.stringify(name)} ${reason}`);
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

/** Class indices, the largest value first; of equal ones the first. */
function ranking(row: Float32Array): number[] {
  return Array.from(row, (_, k) => k).sort((a, b) => row[b]! - row[a]!);
}

/** The body of a response, with the headers that belong to it. */
export interface WrittenResponse {
  readonly body: string | Uint8Array<ArrayBuffer>;
  readonly headers: Readonly<Record<string, string>>;
}

/** Puts `$inference_response` together: JSON alone, or JSON followed by the binary data of the outputs that want it. */
export function writeInferResponse(
  head: { readonly model_name: string; readonly model_version: string; readonly id?: string },
  outputs: readonly WrittenOutput[],
): WrittenResponse {
  const binaries: Uint8Array[] = [];
  const described = outputs.map(({ tensor, binary }) => {
    const { name, shape, datatype } = tensor;
    if (!binary) return { name, shape, datatype, data: Array.from<number | string>(tensor.data) };
    const bytes = bytesOf(tensor);
    binaries.push(bytes);
    return { name, shape, datatype, parameters: { binary_data_size: bytes.length } };
  });
  const json = JSON.stringify({ ...head, outputs: described });
  if (binaries.length === 0) return { body: json, headers: { "Content-Type": "application/json" } };
  const header = new TextEncoder().encode(json);
  const headers = {
    "Content-Type": "application/octet-stream",
    "Inference-Header-Content-Length": String(header.length),
  };
  return { body: join([header, ...binaries]), headers };
}

function bytesOf(tensor: OutputTensor): Uint8Array {
  if (tensor.datatype === "FP32") {
    return new Uint8Array(tensor.data.buffer, tensor.data.byteOffset, tensor.data.byteLength);
  }
  return join(tensor.data.flatMap((text) => {
    const bytes = new TextEncoder().encode(text);
    const length = new Uint8Array(4);
    new DataView(length.buffer).setUint32(0, bytes.length, true);
    return [length, bytes];
  }));
}

function join(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
