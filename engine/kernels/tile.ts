/**
 * The matrix core: sum over k of rows x columns, kept in registers. An op's `.wgsl` says what a row, a column and a
 * step along k are (`first_row`, `load_row`, `load_col`, `store` …); this file appends the entry point that calls
 * them. It is the only place that composes WGSL text, because naga does not unroll loops over register arrays:
 * the same tile written with loops ran ten times slower (docs/decisions.md).
 * @module
 */

/** How a product is cut up. */
export interface Tile {
  /** Lanes of a subgroup that share column values by broadcast. */
  readonly lanes: number;
  /** Invocations of a workgroup, a multiple of `lanes`. */
  readonly group: number;
  /** Output rows of one invocation. */
  readonly rows: number;
  /** Output columns of one invocation, a multiple of four. */
  readonly cols: number;
  /**
   * What the lanes share out: `rows` (default), with columns by broadcast; or `k`, each lane summing a part of its own, for
   * products of few rows. The latter needs no subgroups; `lanes` is then 1.
   */
  readonly over?: "rows" | "k";
}

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

const XYZW = ["x", "y", "z", "w"] as const;

/** WGSL of the whole module: the op's own text first, so that its line numbers stay true. */
export function productSource(op: string, tile: Tile, form: ProductForm): string {
  const core = tile.over === "k" ? splitCore(tile, form) : subgroupCore(tile, form);
  return `${op}\nconst COLS = ${tile.cols}u;\n${core}`;
}

/** Partial sums that one workgroup makes of its part of k: one, or one for each invocation. */
export function splitsPerGroup(tile: Tile): number {
  return tile.over === "k" ? tile.group : 1;
}

/** Rows of column sums that each partial sum comes with. */
export function colSumsPerSplit(tile: Tile): number {
  return tile.over === "k" ? 1 : 4;
}

/**
 * Every invocation sums over a part of k of its own, for all rows and columns of the tile: nothing is shared, and the
 * partial sums are added by a second launch. For form (`rows`, `cols`) only.
 */
function splitCore({ group, rows, cols }: Tile, { rowDepth = 4, colSums }: ProductForm): string {
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
  emit(`  let count = step_count(split, col0);`);
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

function* range(n: number): Generator<number> {
  for (let i = 0; i < n; i++) yield i;
}

/**
 * Each lane owns `rows` rows; all lanes of a subgroup share the same `cols` columns. The columns' values are loaded
 * once per subgroup, one vector a lane, and handed round by broadcast.
 */
function subgroupCore(tile: Tile, form: ProductForm): string {
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
  emit(`  let count = step_count(tile.z, col0);`);
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
  const rowValue = (r: number, k: number) =>
    rowIsK ? `b${r}.${XYZW[k]}` : `b${Math.floor(r / 4)}_${k}.${XYZW[r % 4]}`;
  if (colIsK) {
    for (const m of range(cols)) {
      emit(`    let w${m} = ${broadcast(m)};`);
      for (const r of range(rows)) {
        const acc = `c${r}_${m >> 2}.${XYZW[m & 3]}`;
        let sum = acc;
        for (const k of range(depth)) sum = `fma(${rowValue(r, k)}, w${m}.${XYZW[k]}, ${sum})`;
        emit(`    ${acc} = ${sum};`);
      }
    }
  } else {
    for (const k of range(depth)) {
      for (const c of range(cols4)) {
        emit(`    let w${k}_${c} = ${broadcast(k * cols4 + c)};`);
        for (const r of range(rows)) {
          emit(`    c${r}_${c} = fma(w${k}_${c}, vec4f(${rowValue(r, k)}), c${r}_${c});`);
        }
      }
    }
  }
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
