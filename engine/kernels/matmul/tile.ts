/**
 * The matrix core: sum over k of rows x columns, kept in registers. An op's `.wgsl` says what a row, a column and a
 * step along k are (`first_row`, `load_row`, `load_col`, `store` …); this file appends the entry point that calls
 * them. It is the only place that composes WGSL text, because naga does not unroll loops over register arrays:
 * the same tile written with loops ran ten times slower (docs/decisions.md).
 * @module
 */

import type { Tile } from "./tiles.ts";
import { columnsCore } from "./cores/columns.ts";
import { splitCore } from "./cores/split.ts";
import { subgroupCore } from "./cores/subgroup.ts";
import { workgroupCore } from "./cores/workgroup.ts";

export type { Tile };

/** How an op's loads are laid out. */
export interface ProductForm {
  /** `k`: `load_row` gives four steps of one row; `rows`: four rows of one step. */
  readonly rowVector: "k" | "rows";
  /** `k`: `load_col` gives four steps of one column; `cols`: four columns of one step. */
  readonly colVector: "k" | "cols";
  /** Steps along k that a `load_row` of form `k` really holds, 1 to 4; the rest are zeros and are skipped. */
  readonly depth?: number;
  /** Rows of each vector of form `rows` that are not padding, 1 to 4; default 4. */
  readonly rowDepth?: number;
  /** Whether `store_col_sum` wants the sum over k of the columns' values (a bias gradient). */
  readonly colSums?: boolean;
}

const CORES = { columns: columnsCore, split: splitCore, subgroup: subgroupCore, workgroup: workgroupCore };

/** WGSL of the whole module: the op's own text first, so that its line numbers stay true. */
export function productSource(op: string, tile: Tile, form: ProductForm): string {
  const core = CORES[tile.core](tile, form);
  return `${op}\nconst COLS = ${colsPerGroup(tile)}u;\n${core}`;
}

/** Output rows that one workgroup computes. */
export function rowsPerGroup({ core, rows, group, across = 1 }: Tile): number {
  if (core === "split" || core === "columns") return rows;
  return core === "subgroup" ? rows * group : rows * across;
}

/** Output columns that one workgroup computes. */
export function colsPerGroup({ core, cols, group, across = 1 }: Tile): number {
  if (core === "columns") return cols * group;
  return core === "workgroup" ? cols * (group / across) : cols;
}

/** Partial sums that one workgroup makes of its part of k: one, or one for each invocation. */
export function splitsPerGroup(tile: Tile): number {
  return tile.core === "split" ? tile.group : 1;
}

/** Rows of column sums that each partial sum comes with. */
export function colSumsPerSplit(tile: Tile): number {
  return tile.core === "subgroup" ? 4 : 1;
}

/** 0 to n - 1. */
export function range(n: number): number[] {
  return Array.from({ length: n }, (_, i) => i);
}

/**
 * Nothing to sum where a workgroup's rows, `handles` vectors from `block * handles` on, and its columns are of different groups
 * of channels. The first block of rows also makes the column sums, which every group needs.
 */
export function skipApart(block: string, handles: number): string {
  const first = `${block} * ${handles}u`;
  return `  if (${block} > 0u && apart(${first}, ${first} + ${handles - 1}u, col0)) { count = 0u; }`;
}

/** Names of a vector's components. */
export const XYZW = ["x", "y", "z", "w"] as const;

/**
 * The multiply-adds of one vector along k, where row values are named `b<row>` (form `k`) or `b<row / 4>_<k>`
 * (form `rows`), column values `w<column>` (form `k`) or `w<k>_<column / 4>` (form `cols`) and sums `c<row>_<column / 4>`.
 * `load` emits what must come before a column value's first use.
 */
export function multiplyAdd(
  { rows, cols }: Pick<Tile, "rows" | "cols">,
  { rowVector, colVector, depth = 4, rowDepth = 4 }: ProductForm,
  emit: (line: string) => void,
  load: (name: string, index: number) => string,
): void {
  const rowValue = (r: number, k: number) =>
    rowVector === "k" ? `b${r}.${XYZW[k]}` : `b${r >> 2}_${k}.${XYZW[r & 3]}`;
  const used = range(rows).filter((r) => rowVector === "k" || r % 4 < rowDepth);
  if (colVector === "k") {
    for (const m of range(cols)) {
      emit(`    let w${m} = ${load(`w${m}`, m)};`);
      for (const r of used) {
        const acc = `c${r}_${m >> 2}.${XYZW[m & 3]}`;
        let sum = acc;
        for (const k of range(depth)) sum = `fma(${rowValue(r, k)}, w${m}.${XYZW[k]}, ${sum})`;
        emit(`    ${acc} = ${sum};`);
      }
    }
    return;
  }
  const cols4 = cols / 4;
  for (const c of range(cols4)) {
    for (const k of range(depth)) emit(`    let w${k}_${c} = ${load(`w${k}_${c}`, k * cols4 + c)};`);
    for (const r of used) {
      // Four products are summed before they meet the long sum: it is rounded a quarter as often, and float32 then
      // decides every ReLU and maximum of AlexNet's reference case as float64 does.
      let sum = `w0_${c} * ${rowValue(r, 0)}`;
      for (let k = 1; k < depth; k++) sum = `fma(w${k}_${c}, vec4f(${rowValue(r, k)}), ${sum})`;
      emit(`    c${r}_${c} += ${sum};`);
    }
  }
}
