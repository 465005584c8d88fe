/** @module */
import { multiplyAdd, type ProductForm, range, rowsPerGroup, skipApart, type Tile } from "../tile.ts";

/**
 * A workgroup loads a block of rows and of columns, `depth` vectors deep, into workgroup memory; each invocation then multiplies
 * its rows and columns from there. Vectors stay as the op loads them, along k or across it, so nothing is transposed. Needs no
 * subgroups, and the op's `step_at`.
 */
export function workgroupCore(tile: Tile, form: ProductForm): string {
  const { rows, cols, group, across = 1, depth: blocks = 4 } = tile;
  const { rowVector, colVector, depth = 4, colSums } = form;
  const rowIsK = rowVector === "k", colIsK = colVector === "k";
  const down = group / across;
  const cols4 = cols / 4;
  // Vectors of a block: handles (rows, or groups of four) times steps.
  const rowHandles = rowsPerGroup(tile) / (rowIsK ? 1 : 4);
  const rowSteps = rowIsK ? blocks : blocks * depth;
  const colHandles = down * cols / (colIsK ? 1 : 4);
  const colSteps = colIsK ? blocks : blocks * depth;
  const stepsPerBlock = rowIsK ? blocks : blocks * depth;
  if (rowHandles % group !== 0 && group % rowHandles !== 0) {
    throw new RangeError(`Cannot tile: ${group} invocations and blocks of ${rowHandles} rows do not divide`);
  }
  const out: string[] = [`
var<workgroup> row_block: array<vec4f, ${rowHandles * rowSteps}>;
var<workgroup> col_block: array<vec4f, ${colHandles * colSteps}>;

@compute @workgroup_size(${group})
fn main(@builtin(workgroup_id) tile: vec3u, @builtin(local_invocation_index) index: u32) {
  let col0 = tile.y * ${down * cols4}u;
  let block_row = tile.x * ${rowHandles}u;
  let my_row = index % ${across}u;
  let my_col = index / ${across}u;
  var count = step_count(tile.z, col0);`];
  const emit = (line: string) => out.push(line);
  if (colSums) emit(skipApart("tile.x", rowHandles));
  const rowLoads = Math.ceil(rowHandles * rowSteps / group),
    colLoads = Math.ceil(colHandles * colSteps / group);
  // A loading invocation keeps to one row, where the block's width divides the group or the group the width.
  const rowStates = Math.max(1, Math.ceil(rowHandles / group));
  for (const j of range(rowStates)) {
    emit(`  let load_row${j} = first_row(block_row + (index + ${j * group}u) % ${rowHandles}u, tile.z);`);
  }
  for (const r of range(rows)) for (const c of range(cols4)) emit(`  var c${r}_${c} = vec4f();`);
  if (colSums) { for (const c of range(cols4)) emit(`  var sum${c} = vec4f();`); }
  emit(`  for (var i = 0u; i < count; i += ${stepsPerBlock}u) {`);
  for (const j of range(rowLoads)) {
    const e = `(index + ${j * group}u)`;
    const guard = (j + 1) * group > rowHandles * rowSteps ? `if (${e} < ${rowHandles * rowSteps}u) ` : "";
    emit(`    ${guard}{
      let n = i + ${e} / ${rowHandles}u;
      let value = load_row(load_row${j % rowStates}, step_at(min(n, count - 1u), tile.z, col0));
      row_block[${e}] = select(vec4f(), value, n < count);
    }`);
  }
  for (const j of range(colLoads)) {
    const e = `(index + ${j * group}u)`;
    const guard = (j + 1) * group > colHandles * colSteps ? `if (${e} < ${colHandles * colSteps}u) ` : "";
    // Where rows hold four steps a vector but columns one (form k x cols), a column's step is a part of the row's.
    const n = rowIsK && !colIsK ? `i + ${e} / ${colHandles * depth}u` : `i + ${e} / ${colHandles}u`;
    const load = colIsK
      ? `load_col(s, col0 * 4u + ${e} % ${colHandles}u)`
      : rowIsK
      ? `load_col(s, ${e} / ${colHandles}u % ${depth}u, col0 + ${e} % ${colHandles}u)`
      : `load_col(s, col0 + ${e} % ${colHandles}u)`;
    emit(`    ${guard}{
      let n = ${n};
      let s = step_at(min(n, count - 1u), tile.z, col0);
      col_block[${e}] = select(vec4f(), ${load}, n < count);
    }`);
  }
  emit(`    workgroupBarrier();`);
  for (const q of range(blocks)) {
    emit(`    {`);
    for (const r of range(rowIsK ? rows : rows / 4)) {
      const at = (step: number) => `row_block[my_row + ${step * rowHandles + r * across}u]`;
      if (rowIsK) emit(`    let b${r} = ${at(q)};`);
      else for (const k of range(depth)) emit(`    let b${r}_${k} = ${at(q * depth + k)};`);
    }
    const columnAt = (index: number) =>
      colIsK
        ? `col_block[my_col * ${cols}u + ${q * colHandles + index}u]`
        : `col_block[my_col + ${
          (q * depth + Math.floor(index / cols4)) * colHandles + (index % cols4) * down
        }u]`;
    multiplyAdd(tile, form, emit, (_, index) => columnAt(index));
    if (colSums) {
      for (const k of range(depth)) for (const c of range(cols4)) emit(`    sum${c} += w${k}_${c};`);
    }
    emit(`    }`);
  }
  emit(`    workgroupBarrier();`);
  emit(`  }`);
  for (const r of range(rowIsK ? rows : rows / 4)) {
    emit(`  let row${r} = first_row(block_row + my_row + ${r * across}u, tile.z);`);
  }
  for (const r of range(rows)) {
    const row = rowIsK ? `row${r}, 0u` : `row${r >> 2}, ${r & 3}u`;
    for (const c of range(cols4)) emit(`  store(${row}, ${columnOf(c)}, c${r}_${c});`);
  }
  if (colSums) {
    for (const c of range(cols4)) {
      emit(`  if (tile.x == 0u && my_row == 0u) { store_col_sum(tile.z, ${columnOf(c)}, sum${c}); }`);
    }
  }
  emit(`}`);
  return out.join("\n");

  /** Which vector of four output columns sum c belongs to. */
  function columnOf(c: number): string {
    return colIsK ? `col0 + my_col * ${cols4}u + ${c}u` : `col0 + my_col + ${c * down}u`;
  }
}
