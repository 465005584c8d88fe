/**
 * The split core: every invocation sums over a part of k of its own, for all rows and columns of the tile. Nothing is shared, and the
 * partial sums are added by a second launch. For weight gradients of few rows, whose sums are long. Needs A in form `m` and B in
 * form `n`.
 * @module
 */
import type { Tile } from "../tiles.ts";
import { accumulators, lines, type Operands, range, skipApart, storeSums, XYZW } from "./inner.ts";

/** Steps in one turn of the loop. */
const UNROLL = 2;

/** WGSL of the entry point. */
export function splitCore(tile: Tile, { usedM = 4, colSums }: Operands): string {
  const { group, tm, tn } = tile;
  const n4 = tn / 4, handles = tm / 4;
  const loads = range(UNROLL).map((k) =>
    [
      ...(k > 0 ? [`let s${k} = next_step(s${k - 1});`] : []),
      ...range(n4).map((n) => `let b${k}_${n} = load_b(s${k}, col0 + ${n}u);`),
      ...range(handles).map((m) => `let a${k}_${m} = load_a(row${m}, s${k});`),
    ].map((line) => `    ${line}`).join("\n")
  ).join("\n");
  const inner = range(n4).flatMap((n) => [
    ...(colSums ? range(UNROLL).map((k) => `sum${n} += b${k}_${n};`) : []),
    ...range(tm).filter((m) => m % 4 < usedM).flatMap((m) =>
      range(UNROLL).map((k) =>
        `c${m}_${n} = fma(b${k}_${n}, vec4f(a${k}_${Math.floor(m / 4)}.${XYZW[m % 4]}), c${m}_${n});`
      )
    ),
  ]).map((line) => `    ${line}`).join("\n");
  return `
// Split core: ${tm} rows, ${tn} columns; invocation ${"`split`"} sums its own run of steps.
@compute @workgroup_size(${group})
fn main(@builtin(workgroup_id) tile: vec3u, @builtin(local_invocation_index) index: u32) {
  let col0 = tile.y * ${n4}u;
  let split = tile.z * ${group}u + index;
  var row0 = first_row(tile.x * ${handles}u, split);
${lines(handles - 1, (m) => `let row${m + 1} = next_row(row${m});`)}
${accumulators(tile)}
${lines(n4, (n) => `var sum${n} = vec4f();`)}
  var s0 = first_step(split, col0);
  var count = step_count(split, col0);
${colSums ? skipApart("tile.x", handles) : ""}
  for (var i = 0u; i < count; i += ${UNROLL}u) {
${loads}
${inner}
    s0 = next_step(s${UNROLL - 1});
  }
${
    storeSums(tile, {
      before: "if (m % 4u == 0u && n == 0u && m > 0u) { row0 = next_row(row0); }",
      row: "row0, m % 4u",
      col: "col0 + n",
    })
  }
${colSums ? lines(n4, (n) => `if (tile.x == 0u) { store_col_sum(split, col0 + ${n}u, sum${n}); }`) : ""}
}`;
}
