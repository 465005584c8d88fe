/** @module */
import type { Launch } from "../../engine/kernel.ts";
import type { Tensor } from "../../engine/tensor.ts";

/** What a launch has to do at least. */
export interface Cost {
  /** Additions and multiplications; undefined where they are not what counts. */
  readonly flops: number | undefined;
  /** Bytes to and from memory if every tensor is touched once. */
  readonly bytes: number;
}

/** Which of a product's tensors holds the weights or their gradients. */
const WEIGHT_AT: Readonly<Record<string, number>> = {
  conv2d_forward: 1,
  conv2d_input_grad: 1,
  conv2d_weight_grad: 2,
};

const OPTIMISERS = ["sgd", "adam", "rmsprop", "adagrad"];

/** The cost of a launch, read off its tensors and constants. */
export function costOf({ name, tensors, constants }: Launch): Cost {
  const op = name.slice(0, name.lastIndexOf("."));
  const bytes = (of: readonly Tensor[]) => of.reduce((sum, t) => sum + t.length * 4, 0);
  const moved = bytes(tensors);
  // An optimiser writes the parameters and its state back; the gradient and the step's numbers it only reads.
  if (OPTIMISERS.includes(op)) {
    return { flops: undefined, bytes: moved + bytes([tensors[0]!, ...tensors.slice(2, -1)]) };
  }
  const weight = tensors[WEIGHT_AT[op] ?? -1];
  return { flops: weight && productFlops(weight, constants), bytes: moved };
}

/** 2 N OH OW KH KW C O, where channels of other groups, which kernels skip, do not count. */
function productFlops(weight: Tensor, constants: Launch["constants"]): number {
  const { N, OH, OW, KH, KW, C_GROUP = Infinity } = constants;
  const [c, o] = weight.shape.slice(-2) as [number, number];
  return 2 * N! * OH! * OW! * KH! * KW! * Math.min(c, C_GROUP) * o;
}
