/** @module */
import { multiplyAdd, type ProductForm, range, skipApart, type Tile } from "../tile.ts";

/**
 * Each lane owns `rows` rows; all lanes of a subgroup share the same `cols` columns. The columns' values are loaded
 * once per subgroup, one vector a lane, and handed round by broadcast.
 */
export function subgroupCore(tile: Tile, form: ProductForm): string {
  const { lanes, group, rows, cols } = tile;
  const cols4 = cols / 4;
  const depth = form.depth ?? 4;
  const rowIsK = form.rowVector === "k";
  const colIsK = form.colVector === "k";
  // Vectors along the rows: one each row (four steps), or one each four rows and step.
  const rowHandles = rowIsK ? rows : rows / 4;
  const colVectors = colIsK ? cols : cols4 * depth;
  const colLoads = Math.ceil(colVectors / lanes);
  const out: string[] = [];
  const emit = (line: string) => out.push(line);

  emit(`
@compute @workgroup_size(${group})
fn main(@builtin(workgroup_id) tile: vec3u, @builtin(local_invocation_index) index: u32,
        @builtin(subgroup_invocation_id) lane: u32) {
  let col0 = tile.y * ${cols4}u;
  let row0 = first_row((tile.x * ${group}u + index) * ${rowHandles}u, tile.z);`);
  for (const r of range(rowHandles - 1)) emit(`  let row${r + 1} = next_row(row${r});`);
  for (const r of range(rows)) for (const c of range(cols4)) emit(`  var c${r}_${c} = vec4f();`);
  if (form.colSums) { for (const j of range(colLoads)) emit(`  var sum${j} = vec4f();`); }
  // Which column vector this lane fetches; lanes beyond the last fetch it again.
  for (const j of range(colLoads)) {
    const e = `min(lane + ${j * lanes}u, ${colVectors - 1}u)`;
    emit(`  let e${j} = ${e};`);
    if (!colIsK) emit(`  let k${j} = e${j} / ${cols4}u; let q${j} = col0 + e${j} % ${cols4}u;`);
  }
  emit(`  var s0 = first_step(tile.z, col0);`);
  emit(`  var count = step_count(tile.z, col0);`);
  if (form.colSums) emit(skipApart("tile.x", group * rowHandles));
  const perIteration = rowIsK ? 1 : depth;
  emit(`  for (var i = 0u; i < count; i += ${perIteration}u) {`);
  if (!rowIsK) { for (const k of range(depth - 1)) emit(`    let s${k + 1} = next_step(s${k});`); }
  for (const r of range(rowHandles)) {
    if (rowIsK) emit(`    let b${r} = load_row(row${r}, s0);`);
    else for (const k of range(depth)) emit(`    let b${r}_${k} = load_row(row${r}, s${k});`);
  }
  for (const j of range(colLoads)) {
    emit(
      colIsK
        ? `    let a${j} = load_col(s0, col0 * 4u + e${j});`
        : rowIsK
        ? `    let a${j} = load_col(s0, k${j}, q${j});`
        : `    let a${j} = load_col(${pickStep(depth, j)}, q${j});`,
    );
    if (form.colSums) emit(`    sum${j} += a${j};`);
  }
  const broadcast = (e: number) => `subgroupBroadcast(a${Math.floor(e / lanes)}, ${e % lanes}u)`;
  multiplyAdd(tile, form, emit, (_, index) => broadcast(index));
  emit(`    s0 = next_step(s${perIteration - 1});`);
  emit(`  }`);
  for (const r of range(rows)) {
    const row = rowIsK ? `row${r}, 0u` : `row${Math.floor(r / 4)}, ${r % 4}u`;
    for (const c of range(cols4)) emit(`  store(${row}, col0 + ${c}u, c${r}_${c});`);
  }
  if (form.colSums) {
    emit(`  if (tile.x == 0u && index < ${lanes}u) {`);
    for (const j of range(colLoads)) {
      const guard = (j + 1) * lanes > colVectors ? `if (lane + ${j * lanes}u < ${colVectors}u) ` : "";
      emit(`    ${guard}{ store_col_sum(tile.z * ${depth}u + k${j}, q${j}, sum${j}); }`);
    }
    emit(`  }`);
  }
  emit(`}`);
  return out.join("\n");

  /** The step a lane's column vector belongs to, where one iteration has several. */
  function pickStep(depth: number, j: number): string {
    let expr = "s0";
    for (let k = 1; k < depth; k++) expr = `pick_step(${expr}, s${k}, k${j} == ${k}u)`;
    return expr;
  }
}
