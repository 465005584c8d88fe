/**
 * Max pooling as a layer.
 * @module
 */
import * as op from "../../engine/kernels/max_pool/max_pool.ts";
import { maxPoolBackward, maxPoolForward } from "../../engine/kernels/max_pool/reference.ts";
import { type WindowOptions, windowOutput, windowText } from "../../engine/kernels/prelude/window.ts";
import type { Layer } from "../layer.ts";

/** Options of `maxPool`: PyTorch's, with one number, [height, width], or for the padding [top, left, bottom, right]; the stride's default is the kernel. */
export type MaxPoolLayerOptions = WindowOptions;

/** Maximum of each window; ties give the gradient to the first in row-major order. PyTorch's `MaxPool2d`. */
export function maxPool(options: MaxPoolLayerOptions): Layer {
  const window = op.poolWindow(options);
  const { kernel, stride = kernel, padding = 0, dilation = 1, ceilMode = false } = options;
  return {
    kind: "max_pool",
    options: { kernel, stride, padding, ...dilation !== 1 && { dilation }, ...ceilMode && { ceilMode } },
    describe({ c, h, w }) {
      const { oh, ow } = windowOutput(window, h, w);
      if (oh < 1 || ow < 1) {
        throw new RangeError(`Cannot build max_pool: input is ${h}x${w}, ${windowText(window)} need more`);
      }
      return { output: { c, h: oh, w: ow }, parameters: [] };
    },
    build({ plan, training }, { tensor: x, relu: mask }) {
      const forward = () =>
        training ? op.forwardTraining(plan, { x, window, mask }) : { y: op.forward(plan, { x, window }) };
      const built: { y: typeof x; argmax?: ReturnType<typeof op.argmaxOf> } = forward();
      return {
        y: { tensor: built.y, relu: false },
        trained: false,
        backward(dy, wantInput) {
          if (!wantInput) return undefined;
          // An explanation goes back through a network that was built for inference.
          const argmax = built.argmax ?? op.argmaxOf(plan, x, built.y, { window, mask });
          return op.backward(plan, { argmax, dy, shape: x.shape, window });
        },
      };
    },
    onnx: (graph, { name, x }) =>
      graph.add("MaxPool", name, [x], {
        kernel_shape: window.kernel,
        strides: window.stride,
        pads: window.padding,
        ...window.dilation.some((d) => d > 1) && { dilations: window.dilation },
        ...window.ceilMode && { ceil_mode: 1 },
      }),
    reference({ x, n, shape: { h, w, c } }) {
      const sizes = { n, h, w, c, ...window };
      const { y, from } = maxPoolForward(x, sizes);
      // Second-best values: those of the same pooling without the best.
      const rest = Float64Array.from(x);
      from.forEach((at) => rest[at] = -Infinity);
      const second = maxPoolForward(rest, sizes).y;
      const margin = y.reduce((least, v, i) => v > 0 ? Math.min(least, v - second[i]!) : least, Infinity);
      return { y, margin, backward: (dy) => ({ dx: maxPoolBackward(x, dy, sizes) }) };
    },
  };
}
