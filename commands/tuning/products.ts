/**
 * The matrix products of a model: what `deno task tune` measures.
 * @module
 */
import { convOutput, productShape } from "../../engine/kernels/conv2d/conv2d.ts";
import type { ProductShape } from "../../engine/kernels/matmul/tiles.ts";
import { deviceShape } from "../../model/layer.ts";
import { type Architecture, describeLayers } from "../../model/network.ts";

/** One convolution (a linear layer is one of 1x1 images) and the products of it that a model needs. */
export interface Convolution {
  readonly layer: string;
  /** [N, H, W, C]. */
  readonly x: readonly [number, number, number, number];
  /** [KH, KW, C, O]. */
  readonly weight: readonly [number, number, number, number];
  /** [N, OH, OW, O]. */
  readonly y: readonly [number, number, number, number];
  readonly stride: number;
  readonly padding: number;
  readonly groups: number;
  readonly ops: readonly ProductShape["op"][];
}

/**
 * Every convolution and linear layer of an architecture at a batch size, a layer that is split over several bindings of
 * `maxPartBytes` as its parts. Nobody wants the gradient of the first layer's input. `training`: with both gradients.
 */
export function convolutionsOf(
  architecture: Architecture,
  batch: number,
  { maxPartBytes, training }: { readonly maxPartBytes: number; readonly training: boolean },
): Convolution[] {
  const found: Convolution[] = [];
  let input = architecture.input;
  for (const { name, layer, parameters, output } of describeLayers(architecture, maxPartBytes)) {
    const parts = layer.kind === "conv2d" || layer.kind === "linear"
      ? parameters.find((p) => p.name === "weight")!.parts
      : [];
    const { stride = 1, padding = 0, groups = 1 } = layer.options as Partial<Record<string, number>>;
    const inputGrad = found.length > 0 ? ["input_grad"] as const : [];
    parts.forEach(({ shape }, i) => {
      const weight = shape as [number, number, number, number];
      const x = deviceShape(batch, input);
      const oh = convOutput(x[1], weight[0], stride, padding),
        ow = convOutput(x[2], weight[1], stride, padding);
      found.push({
        layer: parts.length > 1 ? `${name}[${i}]` : name,
        x,
        weight,
        y: [batch, oh, ow, weight[3]],
        stride,
        padding,
        groups,
        ops: training ? ["forward", "weight_grad", ...inputGrad] : ["forward"],
      });
    });
    input = output;
  }
  return found;
}

/** The size of one of its products. */
export function convolutionShape(
  { x, weight, y, stride }: Convolution,
  op: ProductShape["op"],
): ProductShape {
  return productShape(op, { shape: x }, { shape: weight }, { shape: y }, stride);
}
