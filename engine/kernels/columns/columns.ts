/**
 * Moves blocks of columns, for layers whose weights are split over several bindings by output features.
 * @module
 */
import type { Plan } from "../../plan.ts";
import type { Tensor } from "../../tensor.ts";
import { elementwise, withPrelude } from "../prelude/prelude.ts";
import source from "./columns.wgsl" with { type: "text" };

const wgsl = withPrelude(source);

/** A block of columns: `narrow` [..., J] is `wide` [..., first to first + J]; `first` is a multiple of four. */
export interface Columns {
  /** [..., columns]. */
  readonly wide: Tensor;
  /** [..., J]. */
  readonly narrow: Tensor;
  /** First column of the block in `wide`. */
  readonly first: number;
}

/** Records narrow = its columns of wide. Throws a `RangeError` for a block that ends inside a vector of four. */
export function take(plan: Plan, columns: Columns): void {
  move(plan, "take", columns, [columns.wide, columns.narrow]);
}

/** Records the columns of wide = narrow. Throws a `RangeError` for a block that ends inside a vector of four. */
export function put(plan: Plan, columns: Columns): void {
  move(plan, "put", columns, [columns.narrow, columns.wide]);
}

function move(plan: Plan, entry: string, { wide, narrow, first }: Columns, tensors: Tensor[]): void {
  const end = first + narrow.shape.at(-1)!, last = wide.shape.at(-1)!;
  // A block that ends inside a vector would carry its neighbour's columns in its padding.
  if (first % 4 !== 0 || end > last || (end % 4 !== 0 && end !== last)) {
    throw new RangeError(
      `Cannot build columns.${entry}: columns ${first} to ${end} of ${last}, wanted multiples of four inside, or the end`,
    );
  }
  const { grid, constants } = elementwise(narrow.length / 4);
  const sizes = { WIDE4: wide.pitch / 4, NARROW4: narrow.pitch / 4, FIRST4: first / 4 };
  plan.add({ name: `columns.${entry}`, wgsl, tensors, constants: { ...constants, ...sizes }, grid });
}
