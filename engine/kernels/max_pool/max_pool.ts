/**
 * Max pooling; ties give the gradient to the first maximum in row-major order, as PyTorch's `MaxPool2d`.
 * @module
 */
import type { Plan } from "../../plan.ts";
import type { Tensor } from "../../tensor.ts";
import { elementwise, withPrelude } from "../prelude/prelude.ts";
import {
  reachesOver,
  type Window,
  windowConstants,
  windowOf,
  type WindowOptions,
  windowOutput,
  windowText,
} from "../prelude/window.ts";
import source from "./max_pool.wgsl" with { type: "text" };

const wgsl = withPrelude(source);

/** Most taps of a window in training: a maximum's place in it is kept in a byte, and 255 means none. */
const MOST_TRAINED = 255;

/** The window, with PyTorch's default stride: the kernel. Throws a `RangeError` for a padding of more than half of the kernel. */
export function poolWindow(options: WindowOptions): Window {
  const window = windowOf("max_pool", { ...options, stride: options.stride ?? options.kernel });
  if (window.padding.some((n, side) => n * 2 > window.kernel[side % 2]!)) {
    throw new RangeError(
      `Cannot build max_pool: padding is ${shorter(window.padding)}, wanted at most half of the window of ${
        shorter(window.kernel)
      }`,
    );
  }
  return window;
}

function shorter(values: readonly number[]): string {
  return new Set(values).size === 1 ? `${values[0]}` : `[${values}]`;
}

/** Records y [N, OH, OW, C] = the maximum of each window of x [N, H, W, C]; returns y. */
export function forward(plan: Plan, { x, window }: { readonly x: Tensor; readonly window: Window }): Tensor {
  const y = output(plan, x, window);
  const { constants, grid } = elementwise(y.length / 4);
  plan.add({
    name: "max_pool.forward",
    wgsl,
    tensors: [x, y],
    constants: { ...constants, ...geometry(x, y, window) },
    grid,
  });
  return y;
}

/**
 * Records the same for training; returns y and `argmax` [N * OH * OW * C / 4] (C padded to four), which value of each window it
 * was, a byte a channel. With `mask`, x is a ReLU's output and a maximum of zero passes no gradient.
 */
export function forwardTraining(
  plan: Plan,
  { x, window, mask = false }: { readonly x: Tensor; readonly window: Window; readonly mask?: boolean },
): { readonly y: Tensor; readonly argmax: Tensor<"u32"> } {
  const y = output(plan, x, window);
  const argmax = argmaxOf(plan, x, y, { window, mask });
  return { y, argmax };
}

/** Records `argmax` alone, for a y that is already there: an explanation goes back through a network built for inference. */
export function argmaxOf(
  plan: Plan,
  x: Tensor,
  y: Tensor,
  { window, mask = false }: { readonly window: Window; readonly mask?: boolean },
): Tensor<"u32"> {
  const sizes = geometry(x, y, window);
  if (sizes.KH! * sizes.KW! > MOST_TRAINED) {
    throw new RangeError(
      `Cannot build max_pool: ${windowText(window)} have ${
        sizes.KH! * sizes.KW!
      } values, training takes at most ${MOST_TRAINED}`,
    );
  }
  const argmax = plan.integers([y.length / 4]);
  const { constants, grid } = elementwise(y.length / 4);
  plan.add({
    name: "max_pool.forward_training",
    wgsl,
    tensors: [x, y, argmax],
    constants: { ...constants, ...sizes, MASK: mask ? 1 : 0 },
    grid,
  });
  return argmax;
}

/** Records dx [N, H, W, C] (`shape`) from dy [N, OH, OW, C]: each window's gradient goes where `argmax` says; returns dx. */
export function backward(
  plan: Plan,
  { argmax, dy, shape, window }: {
    readonly argmax: Tensor<"u32">;
    readonly dy: Tensor;
    readonly shape: readonly number[];
    readonly window: Window;
  },
): Tensor {
  const dx = plan.tensor(shape);
  const sizes = geometry(dx, dy, window);
  const tensors = [argmax, dy, dx];
  const apart = window.padding.every((n) => n === 0) && window.dilation.every((n) => n === 1) &&
    window.stride.every((n, axis) => n >= window.kernel[axis]!) && !window.ceilMode;
  if (apart) {
    const [N, H, W] = shape as [number, number, number];
    const cells = N * Math.ceil(H / window.stride[0]) * Math.ceil(W / window.stride[1]);
    const { constants, grid } = elementwise(cells * (dx.pitch / 4));
    plan.add({ name: "max_pool.backward_apart", wgsl, tensors, constants: { ...constants, ...sizes }, grid });
    return dx;
  }
  const { constants, grid } = elementwise(dx.length / 4);
  plan.add({ name: "max_pool.backward", wgsl, tensors, constants: { ...constants, ...sizes }, grid });
  return dx;
}

function output(plan: Plan, x: Tensor, window: Window): Tensor {
  const [n, h, w, c] = x.shape as [number, number, number, number];
  const { oh, ow } = windowOutput(window, h, w);
  if (oh < 1 || ow < 1) {
    throw new RangeError(`Cannot build max_pool: ${windowText(window)} do not fit on [${x.shape}]`);
  }
  return plan.tensor([n, oh, ow, c]);
}

function geometry(x: Tensor, y: Tensor, window: Window): Record<string, number> {
  const [N, H, W, C] = x.shape as [number, number, number, number];
  const { oh, ow } = windowOutput(window, H, W);
  if (`${y.shape}` !== `${[N, oh, ow, C]}`) {
    throw new RangeError(
      `Cannot build max_pool: output is [${y.shape}], ${
        windowText(window)
      } on [${x.shape}] give [${N},${oh},${ow},${C}]`,
    );
  }
  const OVER = reachesOver(window, [H, W, oh, ow]) ? 1 : 0;
  return { H, W, C4: x.pitch / 4, OH: oh, OW: ow, OVER, ...windowConstants(window) };
}
