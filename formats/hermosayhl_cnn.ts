/**
 * The checkpoints of the C++ program that this project descends from (github.com/hermosayhl/CNN): float32,
 * little-endian, layer after layer, without a header. Its linear weights are [in, out]; everything else has
 * PyTorch's order.
 * @module
 */
import { architecture } from "../model/architectures/registry.ts";
import type { ModelCard } from "../model/checkpoint/card.ts";
import type { Preprocess } from "../data/preprocess.ts";
import { CheckpointError } from "../model/checkpoint/files.ts";
import { firstBeyond } from "../model/checkpoint/finite.ts";
import { foreignWeights } from "../model/checkpoint/foreign.ts";
import type { ParameterSpec } from "../model/layer.ts";
import { describeLayers } from "../model/network.ts";
import { product } from "../model/parameters.ts";
import type { TensorValue } from "../model/checkpoint/safetensors.ts";

/** What that program does to a photo: OpenCV's BGR, stretched with plain bilinear sampling, divided by 255. */
export const HERMOSAYHL_CNN_PREPROCESS: Preprocess = {
  height: 224,
  width: 224,
  channels: "BGR",
  resize: "stretch",
  antialias: false,
  mean: [0, 0, 0],
  std: [1, 1, 1],
};

/** A converted file. */
export interface HermosayhlCnnModel {
  readonly card: ModelCard;
  readonly tensors: Map<string, TensorValue>;
  /** The file is of the older kind that lacks the batch norms' moving statistics: these are 0 and 1 and useless. */
  readonly lacksStatistics: boolean;
}

interface Slot {
  readonly name: string;
  readonly spec: ParameterSpec;
  /** In the file; if not, its initial value stands. */
  readonly stored: boolean;
}

interface Variant {
  readonly model: "compact" | "compact-bn";
  readonly says: string;
  readonly lacksStatistics: boolean;
  readonly slots: readonly Slot[];
}

/** Reads such a file; its size says which variant it is. Throws a `CheckpointError` with the sizes there are. */
export function readHermosayhlCnn(
  bytes: Uint8Array,
  classes: readonly string[],
  name = "the file",
): HermosayhlCnnModel {
  const variants = variantsFor(classes.length);
  const variant = variants.find((v) => bytes.length === bytesOf(v));
  if (!variant) {
    const foreign = foreignWeights(bytes, name);
    if (foreign !== undefined) throw new CheckpointError(`Cannot convert ${name}: ${foreign}`);
    const known = variants.map((v) => `${bytesOf(v)} (${v.says})`).join(", ");
    throw new CheckpointError(
      `Cannot convert ${name}: it has ${bytes.length} bytes, a model of ${classes.length} classes has ${known}`,
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const tensors = new Map<string, TensorValue>();
  let at = 0;
  for (const { name: tensor, spec, stored } of variant.slots) {
    const data = new Float32Array(product(spec.shape));
    if (!stored) data.fill(spec.init.kind === "ones" ? 1 : 0);
    else {
      for (let i = 0; i < data.length; i++, at += 4) data[i] = view.getFloat32(at, true);
      const bad = firstBeyond(data);
      if (bad !== undefined) {
        throw new CheckpointError(
          `Cannot convert ${name}: value ${bad.index} of ${tensor} is ${bad.value}, wanted finite numbers`,
        );
      }
    }
    const linear = stored && spec.shape.length === 2;
    tensors.set(tensor, { shape: spec.shape, data: linear ? transposed(data, spec.shape[0]!) : data });
  }
  const parameters = variant.slots.filter((s) => s.spec.trained)
    .reduce((sum, s) => sum + product(s.spec.shape), 0);
  const card = {
    model: variant.model,
    classes: [...classes],
    preprocess: HERMOSAYHL_CNN_PREPROCESS,
    parameters,
  };
  return { card, tensors, lacksStatistics: variant.lacksStatistics };
}

function variantsFor(classes: number): Variant[] {
  const slots = (model: Variant["model"], stored: (spec: ParameterSpec) => boolean) =>
    describeLayers(architecture(model, { classes }), Infinity).flatMap((layer) =>
      layer.parameters.map((spec) => ({ name: `${layer.name}.${spec.name}`, spec, stored: stored(spec) }))
    );
  return [
    {
      model: "compact",
      says: "without batch normalisation",
      lacksStatistics: false,
      slots: slots("compact", () => true),
    },
    {
      model: "compact-bn",
      says: "with it",
      lacksStatistics: false,
      slots: slots("compact-bn", () => true),
    },
    {
      model: "compact-bn",
      says: "with it, in the older kind without moving statistics",
      lacksStatistics: true,
      slots: slots("compact-bn", (spec) => spec.trained),
    },
  ];
}

function bytesOf({ slots }: Variant): number {
  return slots.reduce((sum, { spec, stored }) => stored ? sum + product(spec.shape) * 4 : sum, 0);
}

/** [in, out] -> [out, in]. */
function transposed(data: Float32Array, out: number): Float32Array {
  const inputs = data.length / out;
  return Float32Array.from(data, (_, i) => data[i % inputs * out + Math.floor(i / inputs)]!);
}
