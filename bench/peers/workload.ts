/**
 * What all contenders compute: the same network, first weights, inputs and labels, as pure functions. Weights are in
 * PyTorch's order; `channelsLast*` rearranges them for those who keep channels last.
 * @module
 */
import { normal } from "../../engine/random.ts";
import { architecture } from "../../model/architectures/registry.ts";
import { initialValues } from "../../model/init.ts";
import type { Layer, ParameterSpec, Shape } from "../../model/layer.ts";
import { type Architecture, describeLayers } from "../../model/network.ts";

/** A piece of work to time. */
export type Task =
  | {
    readonly kind: "training" | "inference";
    readonly model: string;
    readonly batch: number;
    readonly size: number;
  }
  | { readonly kind: "product"; readonly size: number };

/** Classes of every network here. */
export const CLASSES: Readonly<Record<string, number>> = { compact: 3, alexnet: 1000 };

/** Plain gradient descent, no momentum; small enough that no loss grows, so that numbers stay ordinary in every round. */
export const LEARNING_RATE = 0.001;

/** Steps of a training whose losses all contenders must agree on. */
export const COMPARED_STEPS = 2;

/** Random numbers of this bench, apart from those that training uses. */
const STREAM = 0xbe4c;

/** A layer with its input's shape and its parameters, in PyTorch's order. */
export interface PeerLayer {
  readonly kind: string;
  readonly options: Layer["options"];
  readonly input: Shape;
  readonly weight?: { readonly shape: readonly number[]; readonly values: Float32Array };
  readonly bias?: Float32Array;
  /** A ReLU follows, and is left out of the list. */
  readonly relu: boolean;
}

/** The layers of a network here with their first weights. Dropout is off, because no two libraries draw the same masks. */
export function networkLayers(model: string, size: number): PeerLayer[] {
  const built = architecture(model, { classes: classesOf(model), size, dropout: 0 });
  return neutralLayers(built, (name, spec) => initialValues(spec, name, 1));
}

/**
 * The layers of a sequential network in order, with the values of their parameters: the one list that every peer translates.
 * Throws a `RangeError` for a network with blocks, which no peer here can build.
 */
export function neutralLayers(
  built: Architecture,
  valuesOf: (name: string, spec: ParameterSpec) => Float32Array,
): PeerLayer[] {
  if (built.layers.some(({ layer }) => layer.children)) {
    throw new RangeError(
      `Cannot compare ${built.name}: only a network whose layers are one chain is known to all`,
    );
  }
  const described = describeLayers(built, Infinity), layers: PeerLayer[] = [];
  described.forEach(({ name, layer, input, parameters }, i) => {
    if (layer.isRelu || layer.kind === "dropout") return;
    const valued = (wanted: string) => {
      const spec = parameters.find((p) => p.name === wanted);
      return spec && { shape: spec.shape, values: valuesOf(`${name}.${wanted}`, spec) };
    };
    const weight = valued("weight"), bias = valued("bias")?.values;
    const relu = described[i + 1]?.layer.isRelu ?? false;
    const { kind, options } = layer;
    layers.push({ kind, options, input, relu, ...weight && { weight }, ...bias && { bias } });
  });
  return layers;
}

/** Number of classes of a model here; throws for a model that the comparison does not have. */
export function classesOf(model: string): number {
  const classes = CLASSES[model];
  if (classes === undefined) {
    throw new RangeError(`Cannot compare ${model}: known are ${Object.keys(CLASSES)}`);
  }
  return classes;
}

/** Images [batch, 3, size, size], standard normal. */
export function images(batch: number, size: number): Float32Array<ArrayBuffer> {
  return new Float32Array(batch * 3 * size * size).map((_, i) => normal(1, STREAM, i));
}

/** Labels of the images, one class after the other. */
export function labels(batch: number, classes: number): Int32Array<ArrayBuffer> {
  return Int32Array.from({ length: batch }, (_, i) => i % classes);
}

/** The two factors of a product, [size, size]; the second is scaled so that repeated products keep their size. */
export function factors(size: number): [Float32Array<ArrayBuffer>, Float32Array<ArrayBuffer>] {
  const draw = (seed: number, scale: number) =>
    new Float32Array(size * size).map((_, i) => scale * normal(seed, STREAM, i));
  return [draw(2, 1), draw(3, 1 / Math.sqrt(size))];
}

/** [N, C, H, W] as [N, H, W, C]. */
export function channelsLast(values: Float32Array, n: number, { c, h, w }: Shape): Float32Array<ArrayBuffer> {
  const out = new Float32Array(values.length);
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < c; k++) {
      for (let p = 0; p < h * w; p++) out[(i * h * w + p) * c + k] = values[(i * c + k) * h * w + p]!;
    }
  }
  return out;
}

/** A convolution's weight [O, I, KH, KW] as [KH, KW, I, O]. */
export function channelsLastFilter(
  values: Float32Array,
  shape: readonly number[],
): Float32Array<ArrayBuffer> {
  const [o, i, kh, kw] = shape as [number, number, number, number];
  return transposed(channelsLast(values, o, { c: i, h: kh, w: kw }), o, kh * kw * i);
}

/** A linear layer's weight [out, in] as [in, out]. */
export function transposed(values: Float32Array, rows: number, cols: number): Float32Array<ArrayBuffer> {
  const out = new Float32Array(values.length);
  for (let r = 0; r < rows; r++) for (let k = 0; k < cols; k++) out[k * rows + r] = values[r * cols + k]!;
  return out;
}
