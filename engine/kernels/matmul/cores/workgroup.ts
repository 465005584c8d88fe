/**
 * The workgroup core: a workgroup loads a block of A and of B, `bk` vectors deep, into workgroup memory; each invocation then
 * multiplies its rows and columns from there. Vectors stay as the op loads them, along k or across it, so nothing is transposed. Needs
 * no subgroups, and the op's `step_at`.
 * @module
 */
import type { Tile } from "../tiles.ts";
import { accumulators, lines, multiplyAdd, type Operands, range, skipApart } from "./inner.ts";

/** WGSL of the entry point. Throws a `RangeError` for a block that the workgroup's invocations do not divide. */
export function workgroupCore(tile: Tile, form: Operands): string {
  const { tm, tn, group, across = 1, bk = 4 } = tile;
  const { usedK = 4, colSums } = form;
  const aIsK = form.aVector === "k", bIsK = form.bVector === "k";
  const down = group / across, n4 = tn / 4;
  // Vectors of a block: handles (rows, or groups of four) times steps.
  const aHandles = tm * across / (aIsK ? 1 : 4), aSteps = aIsK ? bk : bk * usedK;
  const bHandles = down * tn / (bIsK ? 1 : 4), bSteps = bIsK ? bk : bk * usedK;
  const aVectors = aHandles * aSteps, bVectors = bHandles * bSteps;
  if (aHandles % group !== 0 && group % aHandles !== 0) {
    throw new RangeError(`Cannot tile: ${group} invocations and blocks of ${aHandles} rows do not divide`);
  }
  // An invocation that loads keeps to one row, where the block's width divides the group or the group the width.
  const aStates = Math.max(1, Math.ceil(aHandles / group));
  const place = (j: number) => `(index + ${j * group}u)`;
  const guard = (j: number, vectors: number) =>
    (j + 1) * group > vectors ? `if (${place(j)} < ${vectors}u) ` : "";
  const loadA = (j: number) =>
    `${guard(j, aVectors)}{
      let n = i + ${place(j)} / ${aHandles}u;
      let value = load_a(load_row${j % aStates}, step_at(min(n, count - 1u), tile.z, col0));
      a_block[${place(j)}] = select(vec4f(), value, n < count);
    }`;
  const loadB = (j: number) => {
    // Where A holds four steps a vector but B one (forms k and n), a step of B is a part of A's.
    const n = aIsK && !bIsK ? `i + ${place(j)} / ${bHandles * usedK}u` : `i + ${place(j)} / ${bHandles}u`;
    const load = bIsK
      ? `load_b(s, col0 * 4u + ${place(j)} % ${bHandles}u)`
      : aIsK
      ? `load_b(s, ${place(j)} / ${bHandles}u % ${usedK}u, col0 + ${place(j)} % ${bHandles}u)`
      : `load_b(s, col0 + ${place(j)} % ${bHandles}u)`;
    return `${guard(j, bVectors)}{
      let n = ${n};
      let s = step_at(min(n, count - 1u), tile.z, col0);
      b_block[${place(j)}] = select(vec4f(), ${load}, n < count);
    }`;
  };
  /** The multiply-adds of vector q of the block. */
  const inner = (q: number) => {
    const a = (m: number, step: number) => `a_block[my_row + ${step * aHandles + m * across}u]`;
    const b = (i: number) =>
      bIsK
        ? `b_block[my_col * ${tn}u + ${q * bHandles + i}u]`
        : `b_block[my_col + ${(q * usedK + Math.floor(i / n4)) * bHandles + (i % n4) * down}u]`;
    const loads = lines(
      aIsK ? tm : tm / 4,
      (m) =>
        aIsK
          ? `let a${m} = ${a(m, q)};`
          : range(usedK).map((k) => `let a${m}_${k} = ${a(m, q * usedK + k)};`).join(" "),
      "    ",
    );
    const sums = range(usedK).map((k) => lines(n4, (n) => `sum${n} += b${k}_${n};`, "    ")).join("\n");
    return `    {\n${loads}\n${multiplyAdd(tile, form, b)}\n${colSums ? sums : ""}\n    }`;
  };
  /** Which vector of four output columns sum n belongs to. */
  const column = (n: number) => bIsK ? `col0 + my_col * ${n4}u + ${n}u` : `col0 + my_col + ${n * down}u`;
  return `
var<workgroup> a_block: array<vec4f, ${aVectors}>;
var<workgroup> b_block: array<vec4f, ${bVectors}>;

// Workgroup core: ${across} x ${down} invocations of ${tm} x ${tn} sums; blocks of ${bk} vectors along k.
@compute @workgroup_size(${group})
fn main(@builtin(workgroup_id) tile: vec3u, @builtin(local_invocation_index) index: u32) {
  let col0 = tile.y * ${down * n4}u;
  let block_row = tile.x * ${aHandles}u;
  let my_row = index % ${across}u;
  let my_col = index / ${across}u;
  var count = step_count(tile.z, col0);
${colSums ? skipApart("tile.x", aHandles) : ""}
${
    lines(
      aStates,
      (j) => `let load_row${j} = first_row(block_row + (index + ${j * group}u) % ${aHandles}u, tile.z);`,
    )
  }
${accumulators(tile)}
${colSums ? lines(n4, (n) => `var sum${n} = vec4f();`) : ""}
  for (var i = 0u; i < count; i += ${aSteps}u) {
${lines(Math.ceil(aVectors / group), loadA, "    ")}
${lines(Math.ceil(bVectors / group), loadB, "    ")}
    workgroupBarrier();
${range(bk).map(inner).join("\n")}
    workgroupBarrier();
  }
${lines(aIsK ? tm : tm / 4, (m) => `let row${m} = first_row(block_row + my_row + ${m * across}u, tile.z);`)}
${
    lines(tm, (m) => {
      const row = aIsK ? `row${m}, 0u` : `row${m >> 2}, ${m & 3}u`;
      return range(n4).map((n) => `store(${row}, ${column(n)}, c${m}_${n});`).join(" ");
    })
  }
${
    colSums
      ? lines(
        n4,
        (n) => `if (tile.x == 0u && my_row == 0u) { store_col_sum(tile.z, ${column(n)}, sum${n}); }`,
      )
      : ""
  }
}`;
}
