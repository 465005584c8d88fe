/**
 * Average pooling as a layer.
 * @module
 */
import * as op from "../../engine/kernels/avg_pool/avg_pool.ts";
import { avgPoolBackward, avgPoolForward } from "../../engine/kernels/avg_pool/reference.ts";
import { windowOutput, windowText } from "../../engine/kernels/prelude/window.ts";
import type { Layer } from "../layer.ts";

/** Options of `avgPool`: PyTorch's, with one number, [height, width], or for the padding [top, left, bottom, right]. */
export type AvgPoolLayerOptions = op.AvgPoolOptions;

/** Mean of each window. PyTorch's `AvgPool2d`. */
export function avgPool(options: AvgPoolLayerOptions): Layer {
  const { countIncludePad = true, divisorOverride } = options;
  const window = op.poolWindow(options), { kernel, stride, padding, ceilMode } = window;
  return {
    kind: "avg_pool",
    options: {
      kernel,
      stride,
      padding,
      ceilMode,
      countIncludePad,
      ...divisorOverride && { divisorOverride },
    },
    describe({ c, h, w }) {
      const { oh, ow } = windowOutput(window, h, w);
      if (oh < 1 || ow < 1) {
        throw new RangeError(`Cannot build avg_pool: input is ${h}x${w}, ${windowText(window)} need more`);
      }
      return { output: { c, h: oh, w: ow }, parameters: [] };
    },
    build: ({ plan }, { tensor: x, relu: mask }) => ({
      y: { tensor: op.forward(plan, { x, ...options }), relu: false },
      trained: false,
      backward: (dy, wantInput) => wantInput ? op.backward(plan, { x, dy, mask, ...options }) : undefined,
    }),
    onnx(graph, { name, x }) {
      if (divisorOverride !== undefined) {
        throw new RangeError(`Cannot export ${name}: ONNX has no average pooling with a divisor of its own`);
      }
      return graph.add("AveragePool", name, [x], {
        kernel_shape: kernel,
        strides: stride,
        pads: padding,
        count_include_pad: countIncludePad ? 1 : 0,
        ...ceilMode && { ceil_mode: 1 },
      });
    },
    reference({ x, n, shape: { h, w, c } }) {
      const sizes = {
        n,
        h,
        w,
        c,
        ...windowOutput(window, h, w),
        ...window,
        countIncludePad,
        divisorOverride,
      };
      return { y: avgPoolForward(x, sizes), backward: (dy) => ({ dx: avgPoolBackward(dy, sizes) }) };
    },
  };
}
