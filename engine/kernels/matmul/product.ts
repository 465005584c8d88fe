/**
 * The matrix core, implicit GEMM: y [M, N] = sum over k of A [M, K] B [K, N], kept in registers. An op's `.wgsl` says what a row, a
 * column and a step along k are (`first_row`, `load_a`, `load_b`, `store` …; README.md is the whole interface); `productSource` appends
 * the entry point that calls them. It is the only place that composes WGSL beyond joining files.
 * @module
 */
import { columnsCore } from "./cores/columns.ts";
import type { Operands } from "./cores/inner.ts";
import { splitCore } from "./cores/split.ts";
import { subgroupCore } from "./cores/subgroup.ts";
import { workgroupCore } from "./cores/workgroup.ts";
import type { ProductShape, Tile } from "./tiles.ts";

export type { Operands };

const CORES = { columns: columnsCore, split: splitCore, subgroup: subgroupCore, workgroup: workgroupCore };

/** How each kind of product lays out its loads, for an input of so many channels. */
export function operandsOf(op: ProductShape["op"], channels: number): Operands {
  const used = Math.min(4, channels);
  if (op === "forward") return { aVector: "k", bVector: "n", usedK: used };
  if (op === "input_grad") return { aVector: "k", bVector: "k" };
  return { aVector: "m", bVector: "n", usedM: used, colSums: true };
}

/** WGSL of the whole module: the op's own text first, so that its line numbers stay true. */
export function productSource(op: string, tile: Tile, form: Operands): string {
  return `${op}\nconst BN = ${blockN(tile)}u;\n${CORES[tile.core](tile, form)}`;
}

/** BM: rows of the product that one workgroup computes. */
export function blockM({ core, tm, group, across = 1 }: Tile): number {
  if (core === "split" || core === "columns") return tm;
  return core === "subgroup" ? tm * group : tm * across;
}

/** BN: columns of the product that one workgroup computes. */
export function blockN({ core, tn, group, across = 1 }: Tile): number {
  if (core === "columns") return tn * group;
  return core === "workgroup" ? tn * (group / across) : tn;
}

/** Partial sums that one workgroup makes of its part of k: one, or one for each invocation. */
export function splitsPerGroup(tile: Tile): number {
  return tile.core === "split" ? tile.group : 1;
}

/** Rows of column sums that each partial sum comes with. */
export function colSumsPerSplit(tile: Tile): number {
  return tile.core === "subgroup" ? 4 : 1;
}
