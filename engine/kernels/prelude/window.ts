/**
 * Windows that slide over an image, as convolutions and poolings have them: PyTorch's and ONNX's options in one place.
 * @module
 */

/** One number for both directions, or [height, width]. */
export type Pair = number | readonly [number, number];

/** One number for every side, [height, width], or [top, left, bottom, right] as ONNX orders them. */
export type Padding = Pair | readonly [number, number, number, number];

/** How a window slides; sizes in pixels. */
export interface WindowOptions {
  /** Height and width, in taps. */
  readonly kernel: Pair;
  /** Pixels between neighbouring windows; default 1 (poolings: the kernel). */
  readonly stride?: Pair | undefined;
  /** Pixels around the input; default 0. */
  readonly padding?: Padding | undefined;
  /** Pixels between neighbouring taps of a window; default 1. */
  readonly dilation?: Pair | undefined;
  /** Round the output's size up: a last window may reach beyond the padding. Default false. */
  readonly ceilMode?: boolean | undefined;
}

/** The options with every number spelt out. */
export interface Window {
  /** [height, width], in taps. */
  readonly kernel: readonly [number, number];
  /** [height, width]. */
  readonly stride: readonly [number, number];
  /** [top, left, bottom, right]. */
  readonly padding: readonly [number, number, number, number];
  /** [height, width]. */
  readonly dilation: readonly [number, number];
  /** Round the output's size up. */
  readonly ceilMode: boolean;
}

/** Spells the options out; throws a `RangeError` that names the number which is out of range. */
export function windowOf(op: string, options: WindowOptions): Window {
  const { kernel, stride = 1, padding = 0, dilation = 1, ceilMode = false } = options;
  const window = {
    kernel: pair(kernel),
    stride: pair(stride),
    padding: sides(padding),
    dilation: pair(dilation),
    ceilMode,
  };
  for (const name of ["kernel", "stride", "dilation", "padding"] as const) {
    const least = name === "padding" ? 0 : 1;
    if (window[name].some((n) => !Number.isInteger(n) || n < least)) {
      throw new RangeError(
        `Cannot build ${op}: its ${name} is ${window[name]}, wanted whole numbers from ${least}`,
      );
    }
  }
  return window;
}

/** Height and width of the output for an input of h x w, PyTorch's formula; below 1 where no window fits. */
export function windowOutput(window: Window, h: number, w: number): { oh: number; ow: number } {
  const along = (size: number, axis: 0 | 1) => {
    const before = window.padding[axis], after = window.padding[axis + 2]!;
    const stride = window.stride[axis];
    const steps = (size + before + after - window.dilation[axis] * (window.kernel[axis] - 1) - 1) / stride;
    if (!window.ceilMode) return Math.floor(steps) + 1;
    const out = Math.ceil(steps) + 1;
    // A last window that would begin in the padding after the input is left out.
    return (out - 1) * stride >= size + before ? out - 1 : out;
  };
  return { oh: along(h, 0), ow: along(w, 1) };
}

/** Whether some window reaches over an edge of the input. */
export function reachesOver(
  { kernel, stride, padding, dilation }: Window,
  [h, w, oh, ow]: readonly number[],
): boolean {
  const over = (size: number, out: number, axis: 0 | 1) =>
    padding[axis] > 0 || (out - 1) * stride[axis] + dilation[axis] * (kernel[axis] - 1) >= size;
  return over(h!, oh!, 0) || over(w!, ow!, 1);
}

/** The window's numbers as overrides of a kernel. */
export function windowConstants({ kernel, stride, padding, dilation }: Window): Record<string, number> {
  return {
    KH: kernel[0],
    KW: kernel[1],
    STRIDE_H: stride[0],
    STRIDE_W: stride[1],
    PAD_TOP: padding[0],
    PAD_LEFT: padding[1],
    DILATION_H: dilation[0],
    DILATION_W: dilation[1],
  };
}

/** The window in words, such as `3x3 windows with stride 2 and padding 1`. */
export function windowText({ kernel, stride, padding, dilation }: Window): string {
  const short = (values: readonly number[]) => new Set(values).size === 1 ? `${values[0]}` : `[${values}]`;
  const apart = dilation.some((d) => d > 1) ? `, dilation ${short(dilation)}` : "";
  return `${kernel.join("x")} windows with stride ${short(stride)} and padding ${short(padding)}${apart}`;
}

function pair(value: Pair): readonly [number, number] {
  return typeof value === "number" ? [value, value] : value;
}

function sides(value: Padding): readonly [number, number, number, number] {
  if (typeof value === "number") return [value, value, value, value];
  return value.length === 4 ? value : [value[0], value[1], value[0], value[1]];
}
