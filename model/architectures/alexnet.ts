/**
 * AlexNet, as torchvision has it and as its paper does.
 * @module
 */
import { withInit } from "../init.ts";
import type { Init, Layer } from "../layer.ts";
import { adaptiveAvgPool } from "../layers/adaptive_avg_pool.ts";
import { conv2d } from "../layers/conv2d.ts";
import { dropout } from "../layers/dropout.ts";
import { flatten } from "../layers/flatten.ts";
import { linear } from "../layers/linear.ts";
import { localResponseNorm } from "../layers/local_response_norm.ts";
import { maxPool } from "../layers/max_pool.ts";
import { relu } from "../layers/relu.ts";
import type { Architecture } from "../network.ts";
import { type ArchitectureOptions, block, featuresOf, squareNetwork } from "./parts.ts";

/**
 * torchvision's `alexnet` ("One weird trick for parallelizing convolutional neural networks", Krizhevsky 2014): one
 * tower, its names, 61,100,840 parameters at 1000 classes.
 */
export function alexnet({ classes, size = 224, dropout: rate = 0.5 }: ArchitectureOptions): Architecture {
  return squareNetwork("alexnet", size, () => [
    ...block("features", [
      conv2d({ in: 3, out: 64, kernel: 11, stride: 4, padding: 2 }),
      relu(),
      maxPool({ kernel: 3, stride: 2 }),
      conv2d({ in: 64, out: 192, kernel: 5, padding: 2 }),
      relu(),
      maxPool({ kernel: 3, stride: 2 }),
      conv2d({ in: 192, out: 384, kernel: 3, padding: 1 }),
      relu(),
      conv2d({ in: 384, out: 256, kernel: 3, padding: 1 }),
      relu(),
      conv2d({ in: 256, out: 256, kernel: 3, padding: 1 }),
      relu(),
      maxPool({ kernel: 3, stride: 2 }),
    ]),
    { name: "avgpool", layer: adaptiveAvgPool({ size: 6 }) },
    { name: "flatten", layer: flatten() },
    ...block("classifier", [
      dropout({ rate }),
      linear({ in: 256 * 6 * 6, out: 4096 }),
      relu(),
      dropout({ rate }),
      linear({ in: 4096, out: 4096 }),
      relu(),
      linear({ in: 4096, out: classes }),
    ]),
  ]);
}

/**
 * The rows of "ImageNet classification with deep convolutional neural networks" (Krizhevsky, Sutskever, Hinton 2012):
 * sections 3.3 to 3.5 and figure 2, whose two towers are groups here. `normalise`: response normalisation follows the
 * ReLU; `pool`: 3x3 windows, two apart, come last; `bias`: what biases start at (section 5). The padding is not in the
 * paper, it follows from the map sizes that the figure shows.
 *
 * Text and figure differ in the first layer. Both say a 224x224 input, but 11x11 windows, four apart, give 54x54 maps
 * and not the figure's 55x55: those need 227x227, or two pixels of padding around 224x224 (`alexnet2012` does both).
 * And the caption counts 253,440 neurons there, which is 55 x 55 x 96 = 290,400 in neither reading.
 */
const CONVOLUTIONS_2012 = [
  { out: 96, kernel: 11, stride: 4, padding: 2, groups: 1, bias: 0, normalise: true, pool: true },
  { out: 256, kernel: 5, stride: 1, padding: 2, groups: 2, bias: 1, normalise: true, pool: true },
  { out: 384, kernel: 3, stride: 1, padding: 1, groups: 1, bias: 0, normalise: false, pool: false },
  { out: 384, kernel: 3, stride: 1, padding: 1, groups: 2, bias: 1, normalise: false, pool: false },
  { out: 256, kernel: 3, stride: 1, padding: 1, groups: 2, bias: 1, normalise: false, pool: true },
] as const;

/** Section 3.3; PyTorch and this project divide alpha by the size, the paper does not. */
const NORMALISATION_2012 = { size: 5, alpha: 5 * 1e-4, beta: 0.75, k: 2 } as const;

/**
 * The network of the 2012 paper, first values of the weights included: 60,965,224 parameters at 1000 classes. An input
 * of 227x227 is taken as it is, any other with two pixels of padding.
 */
export function alexnet2012({ classes, size = 227, dropout: rate = 0.5 }: ArchitectureOptions): Architecture {
  const start = (layer: Layer, bias: 0 | 1) => {
    const weights: Init = { kind: "normal", std: 0.01 };
    return withInit(layer, { weight: weights, bias: { kind: bias ? "ones" : "zeros" } });
  };
  return squareNetwork("alexnet-2012", size, (input) => {
    let channels = input.c;
    const features = CONVOLUTIONS_2012.flatMap(({ bias, normalise, pool, ...row }, i) => {
      const padding = i === 0 && input.h === 227 ? 0 : row.padding;
      const conv = conv2d({ ...row, in: channels, padding });
      channels = row.out;
      return [
        start(conv, bias),
        relu(),
        ...(normalise ? [localResponseNorm(NORMALISATION_2012)] : []),
        ...(pool ? [maxPool({ kernel: 3, stride: 2 })] : []),
      ];
    });
    const classifier = [
      flatten(),
      start(linear({ in: featuresOf(input, features), out: 4096 }), 1),
      relu(),
      dropout({ rate }),
      start(linear({ in: 4096, out: 4096 }), 1),
      relu(),
      dropout({ rate }),
      start(linear({ in: 4096, out: classes }), 0),
    ];
    return [...block("features", features), ...block("classifier", classifier)];
  });
}
