/** @module */
import { elementwise, type Launch } from "../../kernel.ts";
import type { Tensor } from "../../tensor.ts";
import wgsl from "./columns.wgsl" with { type: "text" };

/** narrow [..., J] = wide [..., first to first + J]; `first` is a multiple of four. */
export function takeColumns(wide: Tensor, narrow: Tensor, first: number): Launch {
  return move("take", wide, narrow, first, [wide, narrow]);
}

/** wide [..., first to first + J] = narrow [..., J]; `first` is a multiple of four. */
export function putColumns(narrow: Tensor, wide: Tensor, first: number): Launch {
  return move("put", wide, narrow, first, [narrow, wide]);
}

/** y += x, same shape. */
export function addInto(x: Tensor, y: Tensor): Launch {
  return { name: "columns.add", wgsl, tensors: [x, y], ...elementwise(y.length / 4) };
}

function move(entry: string, wide: Tensor, narrow: Tensor, first: number, tensors: Tensor[]): Launch {
  const end = first + narrow.shape.at(-1)!, last = wide.shape.at(-1)!;
  // A block that ends inside a vector would carry its neighbour's columns in its padding.
  if (first % 4 !== 0 || end > last || (end % 4 !== 0 && end !== last)) {
    throw new RangeError(
      `Cannot build columns.${entry}: columns ${first} to ${end} of ${last}, wanted multiples of four inside, or the end`,
    );
  }
  const { grid, constants } = elementwise(narrow.length / 4);
  const sizes = { WIDE4: wide.pitch / 4, NARROW4: narrow.pitch / 4, FIRST4: first / 4 };
  return { name: `columns.${entry}`, wgsl, tensors, constants: { ...constants, ...sizes }, grid };
}
