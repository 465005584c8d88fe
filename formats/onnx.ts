/**
 * A checkpoint as an ONNX model, for onnxruntime and everything else that reads the format.
 * @module
 */
import { architecture } from "../model/architectures/registry.ts";
import type { Preprocess } from "../data/preprocess.ts";
import { type Checkpoint, CheckpointError } from "../model/checkpoint/checkpoint.ts";
import { cardToMetadata, type ModelCard } from "../model/checkpoint/card.ts";
import { UserError } from "../engine/errors.ts";
import type { OnnxGraph } from "../model/layer.ts";
import { type Architecture, describeNetwork } from "../model/network.ts";
import { sequential } from "../model/sequential.ts";
import { modelProto, type Node, tensorProto, valueInfoProto } from "./onnx_messages.ts";
import { concatenate, type Message } from "./protobuf.ts";

/**
 * The bytes of an ONNX file (opset 17): input `input` [batch, 3, H, W], outputs `logits` and `probabilities`
 * [batch, classes], weights under their checkpoint names, the card and how to prepare a photo in the metadata.
 * Throws a `CheckpointError` where weights are missing or do not fit, a `UserError` for an unknown architecture or a layer that ONNX cannot
 * say. `architectureOf` finds the network that the card names; default: among those that `--model` knows.
 */
export function exportOnnx(
  { card, tensors }: Checkpoint,
  architectureOf = registered,
): Uint8Array<ArrayBuffer> {
  const { preprocess, classes } = card;
  if (preprocess.height !== preprocess.width) {
    throw new CheckpointError(
      `Cannot export ${card.model}: its input is ${preprocess.height}x${preprocess.width}, wanted a square`,
    );
  }
  const network = architectureOf(card);
  const graph = new Graph(network, tensors);
  const logits = writeLayers(graph, network);
  graph.nodes.push({ op: "Identity", name: "logits", inputs: [logits], output: "logits" });
  graph.add("Softmax", "probabilities", [logits], { axis: 1 });
  const { c, h, w } = network.input;
  return concatenate(modelProto({
    name: card.model,
    description: describe(preprocess),
    nodes: graph.nodes,
    initialisers: graph.initialisers,
    inputs: [valueInfoProto("input", ["batch", c, h, w])],
    outputs: ["logits", "probabilities"].map((name) => valueInfoProto(name, ["batch", classes.length])),
    metadata: { ...cardToMetadata(card), preprocessing: describe(preprocess) },
  }));
}

/** The architecture that the card names. */
function registered({ model, classes, preprocess }: ModelCard): Architecture {
  return architecture(model, { classes: classes.length, size: preprocess.height });
}

function writeLayers(graph: Graph, { layers, input }: Architecture): string {
  try {
    return sequential(layers).onnx!(graph, { name: "", x: "input", input });
  } catch (error) {
    // A layer that has no such form says so.
    throw error instanceof RangeError ? new UserError(error.message) : error;
  }
}

/** Where the layers write themselves. */
class Graph implements OnnxGraph {
  readonly nodes: Node[] = [];
  readonly initialisers: Message[] = [];
  readonly #shapes: ReadonlyMap<string, readonly number[]>;

  constructor(readonly network: Architecture, readonly tensors: Checkpoint["tensors"]) {
    const { parameters } = describeNetwork(network, Infinity);
    this.#shapes = new Map(parameters.map(({ name, shape }) => [name, shape]));
  }

  add(
    op: string,
    name: string,
    inputs: readonly string[],
    attributes: NonNullable<Node["attributes"]> = {},
  ): string {
    this.nodes.push({ op, name, inputs, output: name, attributes });
    return name;
  }

  constant(name: string, shape: readonly number[], data: Float32Array): string {
    this.initialisers.push(tensorProto(name, shape, data));
    return name;
  }

  parameter(name: string): string {
    const wanted = this.#shapes.get(name)!, found = this.tensors.get(name);
    if (!found || `${found.shape}` !== `${wanted}`) {
      const got = found ? `has shape [${found.shape}]` : "is missing";
      throw new CheckpointError(`Cannot export ${this.network.name}: ${name} ${got}, wanted [${wanted}]`);
    }
    return this.constant(name, wanted, found.data);
  }
}

/** How a photo becomes the input, in words. */
function describe(p: Preprocess): string {
  const filter = p.antialias
    ? "bilinear with antialiasing"
    : "plain bilinear, half-pixel centres, no antialiasing";
  const resize = p.resize === "stretch"
    ? `stretch the whole photo to ${p.width}x${p.height}`
    : `take the largest central part of that aspect ratio, 87.5 % of each of its sides, and resize it to ${p.width}x${p.height}`;
  return `Decode upright (EXIF orientation applied) to 8-bit RGB; ${resize} (${filter}); order the channels ` +
    `${p.channels}; divide by 255; subtract [${p.mean}] and divide by [${p.std}] per channel in that order; ` +
    `lay out as [batch, 3, ${p.height}, ${p.width}].`;
}
