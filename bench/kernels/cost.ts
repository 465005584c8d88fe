/**
 * What a launch has to do at least, and what share of the adapter's ceilings it reaches.
 * @module
 */
import type { Launch } from "../../engine/kernel.ts";
import type { Ceilings } from "./ceilings.ts";

/** What a launch has to do at least. */
export interface Cost {
  /** Additions and multiplications; undefined where they are not what counts. */
  readonly flops: number | undefined;
  /** Bytes to and from memory if every tensor is touched once. */
  readonly bytes: number;
}

const OPTIMIZERS = ["sgd", "adam", "rmsprop", "adagrad"];

/** The cost of a launch, read off its tensors and constants. */
export function costOf({ name, tensors, constants }: Launch): Cost {
  const op = name.slice(0, name.lastIndexOf("."));
  const bytes = (of: Launch["tensors"]) => of.reduce((sum, t) => sum + t.bytes, 0);
  const moved = bytes(tensors);
  // An optimiser writes the parameters and its state back; the gradient and the step's numbers it only reads.
  if (OPTIMIZERS.includes(op)) {
    return { flops: undefined, bytes: moved + bytes([tensors[0]!, ...tensors.slice(2, -1)]) };
  }
  return { flops: op.startsWith("conv2d_") ? productFlops(constants) : undefined, bytes: moved };
}

/** 2 N OH OW KH KW C O, channels in whole vectors; channels of other groups, which kernels skip, do not count. */
function productFlops({ N, OH, OW, KH, KW, C4, O4, C_GROUP }: Launch["constants"]): number {
  return 2 * N! * OH! * OW! * KH! * KW! * Math.min(C4! * 4, C_GROUP!) * O4! * 4;
}

/** What a launch of so many milliseconds reaches. */
export function rate(launch: Launch, milliseconds: number, ceilings: Ceilings) {
  const { flops, bytes } = costOf(launch);
  const gigaflops = flops === undefined ? undefined : flops / milliseconds / 1e6;
  const gigabytes = bytes / milliseconds / 1e6;
  const arithmetic = (gigaflops ?? 0) / ceilings.gigaflops, memory = gigabytes / ceilings.gigabytes;
  return {
    milliseconds,
    ...gigaflops === undefined ? {} : { gigaflops },
    gigabytes,
    share: Math.max(arithmetic, memory),
    bound: arithmetic > memory ? "arithmetic" as const : "memory" as const,
  };
}
