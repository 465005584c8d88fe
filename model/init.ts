/**
 * First values of parameters, as a pure function of (seed, name, index).
 * @module
 */
import { hash, normal } from "../engine/random.ts";
import type { Init, Layer, ParameterSpec } from "./layer.ts";

/**
 * Standard deviation of an initialiser: He (Kaiming) sqrt(2 / fanIn) for layers before a ReLU, or sqrt(2 / fanOut) as residual
 * networks take it; Xavier (Glorot) sqrt(2 / (fanIn + fanOut)).
 */
export function deviation(init: Init): number {
  switch (init.kind) {
    case "he":
      return Math.sqrt(2 / init.fanIn);
    case "he-fan-out":
      return Math.sqrt(2 / init.fanOut);
    case "xavier":
      return Math.sqrt(2 / (init.fanIn + init.fanOut));
    case "normal":
      return init.std;
    default:
      return 0;
  }
}

/** Values in PyTorch's order for a parameter of that full name. */
export function initialValues(spec: ParameterSpec, name: string, seed: number): Float32Array {
  const size = spec.shape.reduce((a, b) => a * b, 1);
  if (spec.init.kind === "ones") return new Float32Array(size).fill(1);
  const std = deviation(spec.init);
  if (std === 0) return new Float32Array(size);
  const stream = streamOf(name);
  return new Float32Array(size).map((_, i) => std * normal(seed, stream, i));
}

/** The layer with other first values for the parameters named. */
export function withInit(layer: Layer, inits: Readonly<Record<string, Init>>): Layer {
  const other = (spec: ParameterSpec) => ({ ...spec, init: inits[spec.name] ?? spec.init });
  return {
    ...layer,
    describe(input, maxPartBytes) {
      const { output, parameters } = layer.describe(input, maxPartBytes);
      return { output, parameters: parameters.map(other) };
    },
  };
}

/** A stream number that belongs to a name. */
export function streamOf(name: string): number {
  let stream = 0x1417;
  for (let i = 0; i < name.length; i++) stream = hash(stream, 0, name.charCodeAt(i));
  return stream;
}
