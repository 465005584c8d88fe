/**
 * The messages of onnx.proto3 (github.com/onnx/onnx) that a network needs, as functions.
 * @module
 */
import type { OnnxAttribute } from "../model/layer.ts";
import { bytes, float, integer, type Message, message, submessage, text } from "./protobuf.ts";

/** Opset 17 is the first version of IR 8 (onnx 1.12). */
export const OPSET = 17, IR_VERSION = 8;
const FLOAT = 1;

/** A node of the graph. */
export interface Node {
  readonly op: string;
  readonly name: string;
  readonly inputs: readonly string[];
  readonly output: string;
  readonly attributes?: Readonly<Record<string, OnnxAttribute>>;
}

/** NodeProto. */
export function nodeProto({ op, name, inputs, output, attributes = {} }: Node): Message {
  return message(
    ...inputs.map((input) => text(1, input)),
    text(2, output),
    text(3, name),
    text(4, op),
    ...Object.entries(attributes).map(([key, value]) => submessage(5, attributeProto(key, value))),
  );
}

function attributeProto(name: string, value: OnnxAttribute): Message {
  if (typeof value === "number") return message(text(1, name), integer(3, value), integer(20, 2));
  if ("float" in value) return message(text(1, name), float(2, value.float), integer(20, 1));
  return message(text(1, name), ...value.map((v) => integer(8, v)), integer(20, 7));
}

/** TensorProto of f32 values. */
export function tensorProto(name: string, shape: readonly number[], data: Float32Array): Message {
  const raw = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return message(...shape.map((d) => integer(1, d)), integer(2, FLOAT), text(8, name), bytes(9, raw));
}

/** ValueInfoProto of an f32 tensor; a dimension that is a string is a symbol. */
export function valueInfoProto(name: string, shape: readonly (number | string)[]): Message {
  const dims = shape.map((d) => submessage(1, typeof d === "number" ? integer(1, d) : text(2, d)));
  const tensorType = message(integer(1, FLOAT), submessage(2, message(...dims)));
  return message(text(1, name), submessage(2, submessage(1, tensorType)));
}

/** What a model consists of; inputs and outputs are `valueInfoProto`s, initialisers `tensorProto`s. */
export interface Model {
  readonly name: string;
  readonly description: string;
  readonly nodes: readonly Node[];
  readonly initialisers: readonly Message[];
  readonly inputs: readonly Message[];
  readonly outputs: readonly Message[];
  readonly metadata: Readonly<Record<string, string>>;
}

/** ModelProto. */
export function modelProto(m: Model): Message {
  const graph = message(
    ...m.nodes.map((node) => submessage(1, nodeProto(node))),
    text(2, m.name),
    ...m.initialisers.map((tensor) => submessage(5, tensor)),
    ...m.inputs.map((value) => submessage(11, value)),
    ...m.outputs.map((value) => submessage(12, value)),
  );
  const metadata = Object.entries(m.metadata).map(([key, value]) => message(text(1, key), text(2, value)));
  return message(
    integer(1, IR_VERSION),
    text(2, "alexnet-webgpu"),
    text(6, m.description),
    submessage(7, graph),
    submessage(8, message(text(1, ""), integer(2, OPSET))),
    ...metadata.map((entry) => submessage(14, entry)),
  );
}
