/** @module */
import { multiplyAdd, type ProductForm, range, type Tile } from "../tile.ts";

/**
 * Each lane owns `cols` columns; all lanes of a subgroup share the same `rows` rows, one fetched by each lane and handed round
 * by broadcast. For products of few rows, such as linear layers of a small batch: every weight is loaded once and used where it
 * is. For rows of form `k` only, at most as many as lanes.
 */
export function columnsCore(tile: Tile, form: ProductForm): string {
  const { group, rows, cols } = tile;
  const cols4 = cols / 4;
  const colIsK = form.colVector === "k";
  const out: string[] = [`
@compute @workgroup_size(${group})
fn main(@builtin(workgroup_id) tile: vec3u, @builtin(local_invocation_index) index: u32,
        @builtin(subgroup_invocation_id) lane: u32) {
  let col0 = tile.y * ${group * cols4}u;
  let my_col = col0 + index * ${cols4}u;
  let my_row = first_row(tile.x * ${rows}u + min(lane, ${rows - 1}u), tile.z);`];
  const emit = (line: string) => out.push(line);
  for (const r of range(rows)) for (const c of range(cols4)) emit(`  var c${r}_${c} = vec4f();`);
  emit(`  var s = first_step(tile.z, col0);`);
  emit(`  let count = step_count(tile.z, col0);`);
  emit(`  for (var i = 0u; i < count; i++) {`);
  emit(`    let mine = load_row(my_row, s);`);
  for (const r of range(rows)) emit(`    let b${r} = subgroupBroadcast(mine, ${r}u);`);
  multiplyAdd(
    tile,
    form,
    emit,
    (_, index) =>
      colIsK
        ? `load_col(s, my_col * 4u + ${index}u)`
        : `load_col(s, ${Math.floor(index / cols4)}u, my_col + ${index % cols4}u)`,
  );
  emit(`    s = next_step(s);`);
  emit(`  }`);
  for (const r of range(rows)) {
    emit(`  let row${r} = first_row(tile.x * ${rows}u + ${r}u, tile.z);`);
    for (const c of range(cols4)) emit(`  store(row${r}, 0u, my_col + ${c}u, c${r}_${c});`);
  }
  emit(`}`);
  return out.join("\n");
}
