/**
 * Mixing the samples of a batch with one another: mixup (Zhang et al. 2018) and cutmix (Yun et al. 2019).
 * @module
 */
import type { Plan } from "../../plan.ts";
import type { Tensor } from "../../tensor.ts";
import { elementwise, withPrelude } from "../prelude/prelude.ts";
import source from "./mix.wgsl" with { type: "text" };

const wgsl = withPrelude(source);

/** u32 words of one sample's record. */
export const PAIR_WORDS = 8;

/** Pixels of the input: columns from `x0` to before `x1`, rows from `y0` to before `y1`. */
export interface Box {
  /** First column. */
  readonly x0: number;
  /** First row. */
  readonly y0: number;
  /** The column after the last. */
  readonly x1: number;
  /** The row after the last. */
  readonly y1: number;
}

/** What one sample is mixed with. */
export interface MixPair {
  /** Which sample of the batch. */
  readonly partner: number;
  /** Weight of the sample itself outside the box, 0 to 1; the partner has the rest. */
  readonly share: number;
  /** Where the partner alone is seen; absent: nowhere. */
  readonly box?: Box | undefined;
}

/** Writes a sample's record (`PAIR_WORDS` words) at `at`. */
export function encodePair(
  { partner, share, box }: MixPair,
  into: Uint32Array<ArrayBuffer>,
  at: number,
): void {
  into[at] = partner;
  new Float32Array(into.buffer, into.byteOffset, into.length)[at + 1] = share;
  const { x0 = 0, y0 = 0, x1 = 0, y1 = 0 } = box ?? {};
  into.set([x0, y0, x1, y1], at + 4);
}

/** Records y [N, H, W, C] from x of that shape, C at most 4, each sample mixed as `pairs` [N, PAIR_WORDS] says. */
export function mixSamples(
  plan: Plan,
  { x, pairs, y }: { readonly x: Tensor; readonly pairs: Tensor<"u32">; readonly y: Tensor },
): void {
  const [N, H, W, C] = x.shape as [number, number, number, number];
  if (`${x.shape}` !== `${y.shape}` || C > 4 || pairs.shape[0] !== N || pairs.shape[1] !== PAIR_WORDS) {
    throw new RangeError(
      `Cannot build mix: x is [${x.shape}], y [${y.shape}] and pairs [${pairs.shape}], wanted twice [N,H,W,4 or fewer] ` +
        `and [N,${PAIR_WORDS}]`,
    );
  }
  const { constants, grid } = elementwise(x.length / 4);
  plan.add({ name: "mix.main", wgsl, tensors: [x, pairs, y], constants: { ...constants, H, W }, grid });
}
