/**
 * Residual networks ("Deep residual learning for image recognition", He, Zhang, Ren, Sun 2016).
 * @module
 */
import { withInit } from "../init.ts";
import type { Layer, NamedLayer } from "../layer.ts";
import { adaptiveAvgPool } from "../layers/adaptive_avg_pool.ts";
import { batchNorm } from "../layers/batch_norm.ts";
import { conv2d } from "../layers/conv2d.ts";
import { dropout } from "../layers/dropout.ts";
import { flatten } from "../layers/flatten.ts";
import { linear } from "../layers/linear.ts";
import { maxPool } from "../layers/max_pool.ts";
import { relu } from "../layers/relu.ts";
import type { Architecture } from "../network.ts";
import { residual } from "../residual.ts";
import { type ArchitectureOptions, squareNetwork } from "./parts.ts";

/** A convolution as these networks have it: the batch normalisation after it has the bias. */
function conv(from: number, to: number, kernel: number, stride: number): Layer {
  return conv2d({
    in: from,
    out: to,
    kernel,
    stride,
    padding: Math.floor(kernel / 2),
    bias: false,
    init: "he-fan-out",
  });
}

/** How a block begins its training. */
interface BlockOptions {
  readonly stride: number;
  /** The second normalisation's scale starts at zero, so that the block passes its input on at first (Goyal et al. 2017). */
  readonly zeroed?: boolean;
}

/** torchvision's `BasicBlock`, with its names, and the ReLU after the sum. */
function basicBlock(
  name: string,
  from: number,
  to: number,
  { stride, zeroed = false }: BlockOptions,
): NamedLayer[] {
  const last = batchNorm({ channels: to });
  const branch = [
    { name: "conv1", layer: conv(from, to, 3, stride) },
    { name: "bn1", layer: batchNorm({ channels: to }) },
    { name: "relu", layer: relu() },
    { name: "conv2", layer: conv(to, to, 3, 1) },
    { name: "bn2", layer: zeroed ? withInit(last, { weight: { kind: "zeros" } }) : last },
  ];
  const shortcut = stride !== 1 || from !== to
    ? [
      { name: "downsample.0", layer: conv(from, to, 1, stride) },
      { name: "downsample.1", layer: batchNorm({ channels: to }) },
    ]
    : undefined;
  return [{ name, layer: residual({ branch, shortcut }) }, { name: `${name}.relu2`, layer: relu() }];
}

/** The stem: a convolution and a pooling, a quarter of the input's height and width. */
function stem(channels: number, kernel: number): NamedLayer[] {
  return [
    { name: "conv1", layer: conv(3, channels, kernel, 2) },
    { name: "bn1", layer: batchNorm({ channels }) },
    { name: "relu", layer: relu() },
    { name: "maxpool", layer: maxPool({ kernel: 3, stride: 2, padding: 1 }) },
  ];
}

/** torchvision's `resnet18`, its names and first values: 11,689,512 parameters at 1000 classes. */
export function resnet18({ classes, size = 224 }: ArchitectureOptions): Architecture {
  const stages = [64, 128, 256, 512].flatMap((to, i) => [
    ...basicBlock(`layer${i + 1}.0`, i === 0 ? 64 : to / 2, to, { stride: i === 0 ? 1 : 2 }),
    ...basicBlock(`layer${i + 1}.1`, to, to, { stride: 1 }),
  ]);
  return squareNetwork("resnet18", size, () => [
    ...stem(64, 7),
    ...stages,
    { name: "avgpool", layer: adaptiveAvgPool({ size: 1 }) },
    { name: "flatten", layer: flatten() },
    { name: "fc", layer: linear({ in: 512, out: classes }) },
  ]);
}

/**
 * A residual network for people's own photos: one block each of 32, 64, 128 and 192 channels, 886,075 parameters at three classes.
 * Every block passes its input on at first.
 */
export function compactRes({ classes, size = 128, dropout: rate = 0.2 }: ArchitectureOptions): Architecture {
  const widths = [24, 32, 64, 128, 192];
  const stages = widths.slice(1).flatMap((to, i) =>
    basicBlock(`layer${i + 1}.0`, widths[i]!, to, { stride: i === 0 ? 1 : 2, zeroed: true })
  );
  return squareNetwork("compact-res", size, () => [
    ...stem(24, 5),
    ...stages,
    { name: "avgpool", layer: adaptiveAvgPool({ size: 1 }) },
    { name: "flatten", layer: flatten() },
    { name: "dropout", layer: dropout({ rate }) },
    { name: "fc", layer: linear({ in: 192, out: classes }) },
  ]);
}
