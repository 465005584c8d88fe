/**
 * Layers one after another: PyTorch's `Sequential`, and the root of every network.
 * @module
 */
import type { Tensor } from "../engine/tensor.ts";
import type { Built, Layer, NamedLayer, PlacedLayer, Reference, Shape } from "./layer.ts";
import { joinNames } from "./layer.ts";

/**
 * A container whose children follow each other. A name of `""` adds nothing to the children's own; a list of plain layers is numbered
 * as PyTorch numbers it. A ReLU is computed by the layer before it where that one can.
 */
export function sequential(layers: readonly (Layer | NamedLayer)[]): Layer {
  const children = layers.map((one, i): NamedLayer => "layer" in one ? one : { name: `${i}`, layer: one });
  const last = children.at(-1)?.layer;
  const place = (input: Shape): PlacedLayer[] => {
    let shape = input;
    return children.map(({ name, layer }) => {
      const placed = { name, layer, input: shape };
      shape = describeChild(placed, Infinity).output;
      return placed;
    });
  };
  return {
    kind: "sequential",
    options: {},
    fusesRelu: last?.fusesRelu ?? false,
    ...children.some(({ layer }) => layer.featureMap === "makes") && { featureMap: "makes" as const },
    describe(input, maxPartBytes) {
      let output = input;
      const parameters = children.flatMap(({ name, layer }) => {
        const described = describeChild({ name, layer, input: output }, maxPartBytes);
        output = described.output;
        return described.parameters.map((spec) => ({ ...spec, name: joinNames(name, spec.name) }));
      });
      return { output, parameters };
    },
    children: place,
    with: (options) =>
      sequential(children.map(({ name, layer }) => ({ name, layer: layer.with?.(options) ?? layer }))),
    build(context, x, relu) {
      const built: Built[] = [];
      let y = x;
      for (let i = 0; i < children.length; i++) {
        const follows = i + 1 < children.length ? children[i + 1]!.layer.isRelu ?? false : relu;
        const apart = context.wants(children[i]!) ||
          i + 1 < children.length && context.wants(children[i + 1]!);
        const fused = (children[i]!.layer.fusesRelu ?? false) && follows && !apart;
        built.push(context.child(children[i]!, y, fused));
        y = built.at(-1)!.y;
        if (fused && i + 1 < children.length) context.made(children[++i]!, y.tensor);
      }
      return { y, trained: built.some((b) => b.trained), backward: (dy, want) => backwards(built, dy, want) };
    },
    onnx: (graph, { name, x, input }) =>
      place(input).reduce((value, child) => {
        const full = joinNames(name, child.name);
        if (!child.layer.onnx) {
          throw new RangeError(`Cannot export ${full}: ${child.layer.kind} has no ONNX form here`);
        }
        return child.layer.onnx(graph, { name: full, x: value, input: child.input });
      }, x),
    reference: ({ x, shape, child }) => {
      let y = x;
      const done = place(shape).map((one) => {
        const result = child(one, y, one.input);
        y = result.y;
        return { name: one.name, ...result };
      });
      return chained(y, done);
    },
  };
}

/** Backward through a chain; below the lowest layer with a gradient of its own nobody wants one. */
function backwards(built: readonly Built[], dy: Tensor, wantInput: boolean): Tensor | undefined {
  const lowest = wantInput ? 0 : built.findIndex((b) => b.trained);
  if (lowest < 0) return undefined;
  let gradient: Tensor | undefined = dy;
  for (let i = built.length - 1; i >= lowest && gradient; i--) {
    gradient = built[i]!.backward(gradient, wantInput || i > lowest);
  }
  return wantInput ? gradient : undefined;
}

/** References of a chain as one. */
function chained(y: ArrayLike<number>, done: readonly (Reference & { readonly name: string })[]): Reference {
  return {
    y,
    margin: Math.min(...done.map((d) => d.margin ?? Infinity)),
    backward(dy) {
      const gradients: Record<string, ArrayLike<number>> = {};
      let dx = dy;
      for (const { name, backward } of [...done].reverse()) {
        const below = backward(dx);
        for (const [own, values] of Object.entries(below.gradients ?? {})) {
          gradients[joinNames(name, own)] = values;
        }
        dx = below.dx;
      }
      return { dx, gradients };
    },
  };
}

/** Describes a child; an error says which layer it is about. */
export function describeChild(
  { name, layer, input }: PlacedLayer,
  maxPartBytes: number,
): ReturnType<Layer["describe"]> {
  try {
    return layer.describe(input, maxPartBytes);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new LayerError(error.message, error instanceof LayerError ? joinNames(name, error.layer) : name);
  }
}

/** An input that a layer of a network cannot take. */
export class LayerError extends RangeError {
  /** `layer` is the layer's name, as far as it is known. */
  constructor(message: string, readonly layer: string) {
    super(message);
  }
}
