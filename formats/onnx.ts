/**
 * A checkpoint as an ONNX model, for onnxruntime and everything else that reads the format.
 * @module
 */
import { architecture } from "../model/architectures/alexnet.ts";
import type { Preprocess } from "../model/checkpoint/card.ts";
import { cardToMetadata, type Checkpoint, CheckpointError } from "../model/checkpoint/checkpoint.ts";
import type { Shape } from "../model/layer.ts";
import { type Architecture, describeLayers } from "../model/network.ts";
import { modelProto, type Node, tensorProto, valueInfoProto } from "./onnx_messages.ts";
import { concatenate, type Message } from "./protobuf.ts";

/**
 * The bytes of an ONNX file (opset 17): input `input` [batch, 3, H, W], outputs `logits` and `probabilities`
 * [batch, classes], weights under their checkpoint names, the card and how to prepare a photo in the metadata.
 * Throws a `CheckpointError` where weights are missing or do not fit, a `RangeError` for an unknown architecture.
 */
export function exportOnnx({ card, tensors }: Checkpoint): Uint8Array<ArrayBuffer> {
  const { preprocess, classes } = card;
  if (preprocess.height !== preprocess.width) {
    throw new CheckpointError(
      `Cannot export ${card.model}: its input is ${preprocess.height}x${preprocess.width}, wanted a square`,
    );
  }
  const network = architecture(card.model, { classes: classes.length, size: preprocess.height });
  const graph = new Graph();
  const logits = addLayers(graph, network, tensors);
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

class Graph {
  readonly nodes: Node[] = [];
  readonly initialisers: Message[] = [];

  /** Appends a node that is named like its output; returns that name. */
  add(op: string, name: string, inputs: string[], attributes: NonNullable<Node["attributes"]> = {}): string {
    this.nodes.push({ op, name, inputs, output: name, attributes });
    return name;
  }

  constant(name: string, shape: readonly number[], data: Float32Array): string {
    this.initialisers.push(tensorProto(name, shape, data));
    return name;
  }
}

interface Context {
  readonly graph: Graph;
  readonly name: string;
  readonly x: string;
  readonly input: Shape;
  readonly options: Readonly<Record<string, number>>;
  /** Name of the initialiser that holds one of the layer's parameters. */
  weight(name: string): string;
}

/** How each kind of layer is written; returns the name of its output. */
const LAYERS: Readonly<Record<string, (context: Context) => string>> = {
  conv2d: ({ graph, name, x, weight, options: { kernel, stride, padding, groups } }) =>
    graph.add("Conv", name, [x, weight("weight"), weight("bias")], {
      ...window(kernel!, stride!, padding!),
      group: groups!,
    }),
  linear: ({ graph, name, x, weight }) =>
    graph.add("Gemm", name, [x, weight("weight"), weight("bias")], { transB: 1 }),
  relu: ({ graph, name, x }) => graph.add("Relu", name, [x]),
  max_pool: ({ graph, name, x, options: { kernel, stride, padding } }) =>
    graph.add("MaxPool", name, [x], window(kernel!, stride!, padding!)),
  adaptive_avg_pool: adaptiveAvgPool,
  local_response_norm: ({ graph, name, x, options: { size, alpha, beta, k } }) =>
    graph.add("LRN", name, [x], {
      size: size!,
      alpha: { float: alpha! },
      beta: { float: beta! },
      bias: { float: k! },
    }),
  batch_norm: ({ graph, name, x, weight, options: { eps } }) => {
    const parameters = ["weight", "bias", "running_mean", "running_var"].map(weight);
    return graph.add("BatchNormalization", name, [x, ...parameters], { epsilon: { float: eps! } });
  },
  dropout: ({ x }) => x,
  flatten: ({ graph, name, x }) => graph.add("Flatten", name, [x], { axis: 1 }),
};

function window(kernel: number, stride: number, padding: number) {
  return {
    kernel_shape: [kernel, kernel],
    strides: [stride, stride],
    pads: [padding, padding, padding, padding],
  };
}

/** Windows of one size are an AveragePool; others are a product with the averaging matrix on either side. */
function adaptiveAvgPool({ graph, name, x, input: { h, w }, options }: Context): string {
  const size = options.size!;
  if (h === size && w === size) return x;
  if (h % size === 0 && w % size === 0) {
    const kernel = [h / size, w / size];
    return graph.add("AveragePool", name, [x], { kernel_shape: kernel, strides: kernel });
  }
  const rows = graph.constant(`${name}.rows`, [size, h], averages(size, h, (cell, i) => cell * h + i));
  const columns = graph.constant(
    `${name}.columns`,
    [w, size],
    averages(size, w, (cell, i) => i * size + cell),
  );
  return graph.add("MatMul", name, [graph.add("MatMul", `${name}.left`, [rows, x]), columns]);
}

/** Window `cell` of `size` covers inputs floor(cell n / size) to ceil((cell + 1) n / size), evenly. */
function averages(size: number, n: number, at: (cell: number, i: number) => number): Float32Array {
  const matrix = new Float32Array(size * n);
  for (let cell = 0; cell < size; cell++) {
    const first = Math.floor(cell * n / size), end = Math.ceil((cell + 1) * n / size);
    for (let i = first; i < end; i++) matrix[at(cell, i)] = 1 / (end - first);
  }
  return matrix;
}

function addLayers(graph: Graph, network: Architecture, tensors: Checkpoint["tensors"]): string {
  let x = "input", input = network.input;
  for (const { name, layer, parameters, output } of describeLayers(network, Infinity)) {
    const write = LAYERS[layer.kind];
    if (!write) throw new RangeError(`Cannot export ${network.name}: ${layer.kind} has no ONNX form here`);
    const weight = (parameter: string) => {
      const full = `${name}.${parameter}`, wanted = parameters.find((p) => p.name === parameter)!.shape;
      const found = tensors.get(full);
      if (!found || `${found.shape}` !== `${wanted}`) {
        const got = found ? `has shape [${found.shape}]` : "is missing";
        throw new CheckpointError(`Cannot export ${network.name}: ${full} ${got}, wanted [${wanted}]`);
      }
      return graph.constant(full, wanted, found.data);
    };
    const options = layer.options as Readonly<Record<string, number>>;
    x = write({ graph, name, x, input, options, weight });
    input = output;
  }
  return x;
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
