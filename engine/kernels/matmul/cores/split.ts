/** @module */
import { type ProductForm, range, skipApart, type Tile, XYZW } from "../tile.ts";

/**
 * Every invocation sums over a part of k of its own, for all rows and columns of the tile: nothing is shared, and the
 * partial sums are added by a second launch. For form (`rows`, `cols`) only.
 */
export function splitCore({ group, rows, cols }: Tile, { rowDepth = 4, colSums }: ProductForm): string {
  const cols4 = cols / 4, handles = rows / 4, unroll = 2;
  const out: string[] = [`
@compute @workgroup_size(${group})
fn main(@builtin(workgroup_id) tile: vec3u, @builtin(local_invocation_index) index: u32) {
  let col0 = tile.y * ${cols4}u;
  let split = tile.z * ${group}u + index;
  let row0 = first_row(tile.x * ${handles}u, split);`];
  const emit = (line: string) => out.push(line);
  for (const r of range(handles - 1)) emit(`  let row${r + 1} = next_row(row${r});`);
  for (const r of range(rows)) for (const c of range(cols4)) emit(`  var c${r}_${c} = vec4f();`);
  for (const c of range(cols4)) emit(`  var sum${c} = vec4f();`);
  emit(`  var s0 = first_step(split, col0);`);
  emit(`  var count = step_count(split, col0);`);
  if (colSums) emit(skipApart("tile.x", handles));
  emit(`  for (var i = 0u; i < count; i += ${unroll}u) {`);
  for (const k of range(unroll)) {
    if (k > 0) emit(`    let s${k} = next_step(s${k - 1});`);
    for (const c of range(cols4)) emit(`    let a${k}_${c} = load_col(s${k}, col0 + ${c}u);`);
    for (const r of range(handles)) emit(`    let b${k}_${r} = load_row(row${r}, s${k});`);
  }
  for (const c of range(cols4)) {
    if (colSums) { for (const k of range(unroll)) emit(`    sum${c} += a${k}_${c};`); }
    for (const r of range(rows)) {
      if (r % 4 >= rowDepth) continue;
      for (const k of range(unroll)) {
        emit(
          `    c${r}_${c} = fma(a${k}_${c}, vec4f(b${k}_${Math.floor(r / 4)}.${XYZW[r % 4]}), c${r}_${c});`,
        );
      }
    }
  }
  emit(`    s0 = next_step(s${unroll - 1});`);
  emit(`  }`);
  for (const r of range(rows)) {
    for (const c of range(cols4)) {
      emit(`  store(row${Math.floor(r / 4)}, ${r % 4}u, col0 + ${c}u, c${r}_${c});`);
    }
  }
  if (colSums) {
    for (const c of range(cols4)) {
      emit(`  if (tile.x == 0u) { store_col_sum(split, col0 + ${c}u, sum${c}); }`);
    }
  }
  emit(`}`);
  return out.join("\n");
}
