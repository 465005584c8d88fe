/**
 * Average pooling, PyTorch's `AvgPool2d`.
 * @module
 */
import type { Plan } from "../../plan.ts";
import type { Tensor } from "../../tensor.ts";
import { elementwise, withPrelude } from "../prelude/prelude.ts";
import {
  type Window,
  windowConstants,
  windowOf,
  type WindowOptions,
  windowOutput,
  windowText,
} from "../prelude/window.ts";
import source from "./avg_pool.wgsl" with { type: "text" };

const wgsl = withPrelude(source);

/** Options of the pooling; the stride's default is the kernel. */
export interface AvgPoolOptions extends Omit<WindowOptions, "dilation"> {
  /** Whether a mean counts the padding's zeros; default true, as in PyTorch (ONNX: false). */
  readonly countIncludePad?: boolean | undefined;
  /** What sums are divided by instead of the number of pixels. */
  readonly divisorOverride?: number | undefined;
}

/** The window of the options; throws a `RangeError` for numbers out of range. */
export function poolWindow(
  { kernel, stride = kernel, padding, ceilMode, divisorOverride }: AvgPoolOptions,
): Window {
  const window = windowOf("avg_pool", { kernel, stride, padding, ceilMode });
  if (window.padding.some((n, side) => n * 2 > window.kernel[side % 2]!)) {
    throw new RangeError(
      `Cannot build avg_pool: padding is ${window.padding}, wanted at most half of ${window.kernel}`,
    );
  }
  if (divisorOverride !== undefined && !(Number.isInteger(divisorOverride) && divisorOverride > 0)) {
    throw new RangeError(
      `Cannot build avg_pool: the divisor is ${divisorOverride}, wanted a whole number above 0`,
    );
  }
  return window;
}

/** Records y [N, OH, OW, C] = the mean of each window of x [N, H, W, C]; returns y. */
export function forward(plan: Plan, { x, ...options }: { readonly x: Tensor } & AvgPoolOptions): Tensor {
  const [n, h, w, c] = x.shape as [number, number, number, number];
  const window = poolWindow(options), { oh, ow } = windowOutput(window, h, w);
  if (oh < 1 || ow < 1) {
    throw new RangeError(`Cannot build avg_pool: ${windowText(window)} do not fit on [${x.shape}]`);
  }
  const y = plan.tensor([n, oh, ow, c]);
  const { constants, grid } = elementwise(y.length / 4);
  plan.add({
    name: "avg_pool.forward",
    wgsl,
    tensors: [x, y],
    constants: { ...constants, ...geometry(x, y, window, options) },
    grid,
  });
  return y;
}

/** Records dx [N, H, W, C] from dy [N, OH, OW, C]; with `mask`, x is a ReLU's output and dx is multiplied by (x > 0). Returns dx. */
export function backward(
  plan: Plan,
  { x, dy, mask = false, ...options }:
    & { readonly x: Tensor; readonly dy: Tensor; readonly mask?: boolean }
    & AvgPoolOptions,
): Tensor {
  const dx = plan.tensor(x.shape);
  const { constants, grid } = elementwise(dx.length / 4);
  const sizes = geometry(x, dy, poolWindow(options), options);
  plan.add({
    name: "avg_pool.backward",
    wgsl,
    tensors: [dy, x, dx],
    constants: { ...constants, ...sizes, MASK: mask ? 1 : 0 },
    grid,
  });
  return dx;
}

function geometry(x: Tensor, y: Tensor, window: Window, options: AvgPoolOptions): Record<string, number> {
  const [N, H, W, C] = x.shape as [number, number, number, number];
  const { oh, ow } = windowOutput(window, H, W);
  if (`${y.shape}` !== `${[N, oh, ow, C]}`) {
    throw new RangeError(
      `Cannot build avg_pool: output is [${y.shape}], ${
        windowText(window)
      } on [${x.shape}] give [${N},${oh},${ow},${C}]`,
    );
  }
  const { DILATION_H: _, DILATION_W: __, ...sizes } = windowConstants(window);
  return {
    ...{ H, W, C4: x.pitch / 4, OH: oh, OW: ow, ...sizes },
    PAD_BOTTOM: window.padding[2],
    PAD_RIGHT: window.padding[3],
    COUNT_PAD: options.countIncludePad ?? true ? 1 : 0,
    DIVISOR: options.divisorOverride ?? 0,
  };
}
