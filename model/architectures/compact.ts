/**
 * The small chains of the C++ program that this project descends from.
 * @module
 */
import { batchNorm } from "../layers/batch_norm.ts";
import { conv2d } from "../layers/conv2d.ts";
import { flatten } from "../layers/flatten.ts";
import { linear } from "../layers/linear.ts";
import { maxPool } from "../layers/max_pool.ts";
import { relu } from "../layers/relu.ts";
import type { Architecture } from "../network.ts";
import { type ArchitectureOptions, block, featuresOf, squareNetwork } from "./parts.ts";

function compactNetwork(
  name: string,
  { classes, size = 224 }: ArchitectureOptions,
  normalise: boolean,
): Architecture {
  const conv = (from: number, to: number) => [
    conv2d({ in: from, out: to, kernel: 3, stride: 2 }),
    ...(normalise ? [batchNorm({ channels: to })] : []),
    relu(),
  ];
  const features = [
    ...conv(3, 16),
    maxPool({ kernel: 2 }),
    ...conv(16, 32),
    ...conv(32, 64),
    ...conv(64, 128),
  ];
  return squareNetwork(name, size, (input) => {
    const classifier = [flatten(), linear({ in: featuresOf(input, features), out: classes })];
    return [...block("features", features), ...block("classifier", classifier)];
  });
}

/** Four strided convolutions and one linear layer: 111,267 parameters at three classes. */
export function compact(options: ArchitectureOptions): Architecture {
  return compactNetwork("compact", options, false);
}

/** `compact` with batch normalisation between each convolution and its ReLU: 111,747 parameters at three classes. */
export function compactBn(options: ArchitectureOptions): Architecture {
  return compactNetwork("compact-bn", options, true);
}
