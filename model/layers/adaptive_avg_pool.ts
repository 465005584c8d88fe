/** @module */
import {
  adaptiveAvgPoolBackward,
  adaptiveAvgPoolForward,
} from "../../engine/kernels/adaptive_avg_pool/adaptive_avg_pool.ts";
import type { Layer } from "../layer.ts";

/** Options of `adaptiveAvgPool`. */
export interface AdaptiveAvgPoolLayerOptions {
  /** Height and width of the output. */
  readonly size: number;
}

/** [C, H, W] -> [C, size, size], each value the mean of its share of the input. PyTorch's `AdaptiveAvgPool2d`. */
export function adaptiveAvgPool({ size }: AdaptiveAvgPoolLayerOptions): Layer {
  return {
    kind: "adaptive_avg_pool",
    options: { size },
    fusesRelu: false,
    describe: ({ c }) => ({ output: { c, h: size, w: size }, parameters: [] }),
    build({ plan }, x) {
      const [n, h, w, c] = x.tensor.shape as [number, number, number, number];
      // Every window is one pixel then, and torchvision's AlexNet at 224 is such a case.
      if (h === size && w === size) return { y: x, backward: (dy, wantInput) => wantInput ? dy : undefined };
      const y = plan.tensor([n, size, size, c]);
      plan.add(adaptiveAvgPoolForward(x.tensor, y));
      return {
        y: { tensor: y, relu: false },
        backward(dy, wantInput) {
          if (!wantInput) return undefined;
          const dx = plan.tensor(x.tensor.shape);
          plan.add(adaptiveAvgPoolBackward(x.tensor, dy, dx, { mask: x.relu }));
          return dx;
        },
      };
    },
  };
}
