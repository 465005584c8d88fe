/**
 * The columns core: each lane owns `tn` columns; all lanes of a subgroup share the same `tm` rows, one fetched by each lane and
 * handed round by broadcast. For products of few rows, such as linear layers of a small batch: every weight is loaded once and used
 * where it is. Needs A in form `k`, and at most as many rows as lanes.
 * @module
 */
import type { Tile } from "../tiles.ts";
import { accumulators, lines, multiplyAdd, type Operands, storeSums } from "./inner.ts";

/** WGSL of the entry point. */
export function columnsCore(tile: Tile, form: Operands): string {
  const { group, tm, tn } = tile;
  const n4 = tn / 4;
  const valueOfB = (index: number) =>
    form.bVector === "k"
      ? `load_b(s, my_col * 4u + ${index}u)`
      : `load_b(s, ${Math.floor(index / n4)}u, my_col + ${index % n4}u)`;
  return `
// Columns core: a block of ${tm} rows and ${
    tn * group
  } columns; lane l fetches row l, and the subgroup hands it round.
@compute @workgroup_size(${group})
fn main(@builtin(workgroup_id) tile: vec3u, @builtin(local_invocation_index) index: u32,
        @builtin(subgroup_invocation_id) lane: u32) {
  let col0 = tile.y * ${group * n4}u;
  let my_col = col0 + index * ${n4}u;
  let my_row = first_row(tile.x * ${tm}u + min(lane, ${tm - 1}u), tile.z);
${accumulators(tile)}
  var s = first_step(tile.z, col0);
  let count = step_count(tile.z, col0);
  for (var i = 0u; i < count; i++) {
    let mine = load_a(my_row, s);
${lines(tm, (m) => `let a${m} = subgroupBroadcast(mine, ${m}u);`, "    ")}
${multiplyAdd(tile, form, valueOfB)}
    s = next_step(s);
  }
  var row = my_row;
${
    storeSums(tile, {
      before: `if (n == 0u) { row = first_row(tile.x * ${tm}u + m, tile.z); }`,
      row: "row, 0u",
      col: "my_col + n",
    })
  }
}`;
}
