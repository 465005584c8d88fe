/**
 * The subgroup core: each lane owns `tm` rows; all lanes of a subgroup share the same `tn` columns. The values of B are loaded once per
 * subgroup, one vector a lane, and handed round by broadcast.
 * @module
 */
import type { Tile } from "../tiles.ts";
import { accumulators, lines, multiplyAdd, type Operands, range, skipApart, storeSums } from "./inner.ts";

/** WGSL of the entry point. */
export function subgroupCore(tile: Tile, form: Operands): string {
  const { lanes, group, tm, tn } = tile;
  const { usedK = 4, colSums } = form;
  const n4 = tn / 4, aIsK = form.aVector === "k", bIsK = form.bVector === "k";
  // Vectors of A: one each row (four steps), or one each four rows and step.
  const handles = aIsK ? tm : tm / 4;
  const bVectors = bIsK ? tn : n4 * usedK, bLoads = Math.ceil(bVectors / lanes);
  const steps = aIsK ? 1 : usedK;
  const loadB = (j: number) =>
    bIsK
      ? `load_b(s0, col0 * 4u + e${j})`
      : aIsK
      ? `load_b(s0, k${j}, q${j})`
      : `load_b(${pickStep(usedK, j)}, q${j})`;
  const storeSum = (j: number) => {
    const guard = (j + 1) * lanes > bVectors ? `if (lane + ${j * lanes}u < ${bVectors}u) ` : "";
    return `${guard}{ store_col_sum(tile.z * ${usedK}u + k${j}, q${j}, sum${j}); }`;
  };
  return `
// Subgroup core: lanes own ${tm} rows each and share ${tn} columns; ${bVectors} vectors of B are fetched by ${lanes} lanes.
@compute @workgroup_size(${group})
fn main(@builtin(workgroup_id) tile: vec3u, @builtin(local_invocation_index) index: u32,
        @builtin(subgroup_invocation_id) lane: u32) {
  let col0 = tile.y * ${n4}u;
  var row0 = first_row((tile.x * ${group}u + index) * ${handles}u, tile.z);
${lines(handles - 1, (m) => `let row${m + 1} = next_row(row${m});`)}
${accumulators(tile)}
${colSums ? lines(bLoads, (j) => `var sum${j} = vec4f();`) : ""}
  // Which vector of B this lane fetches; lanes beyond the last fetch it again.
${
    lines(bLoads, (j) =>
      `let e${j} = min(lane + ${j * lanes}u, ${bVectors - 1}u);` +
      (bIsK ? "" : ` let k${j} = e${j} / ${n4}u; let q${j} = col0 + e${j} % ${n4}u;`))
  }
  var s0 = first_step(tile.z, col0);
  var count = step_count(tile.z, col0);
${colSums ? skipApart("tile.x", group * handles) : ""}
  for (var i = 0u; i < count; i += ${steps}u) {
${lines(steps - 1, (k) => `let s${k + 1} = next_step(s${k});`, "    ")}
${
    lines(handles, (m) =>
      aIsK
        ? `let a${m} = load_a(row${m}, s0);`
        : range(usedK).map((k) =>
          `let a${m}_${k} = load_a(row${m}, s${k});`
        ).join(" "), "    ")
  }
${
    lines(
      bLoads,
      (j) => `let fetched${j} = ${loadB(j)};${colSums ? ` sum${j} += fetched${j};` : ""}`,
      "    ",
    )
  }
${multiplyAdd(tile, form, (i) => `subgroupBroadcast(fetched${Math.floor(i / lanes)}, ${i % lanes}u)`)}
    s0 = next_step(s${steps - 1});
  }
${
    storeSums(tile, {
      before: `if (${aIsK ? "" : "m % 4u == 0u && "}n == 0u && m > 0u) { row0 = next_row(row0); }`,
      row: aIsK ? "row0, 0u" : "row0, m % 4u",
      col: "col0 + n",
    })
  }
${colSums ? `  if (tile.x == 0u && index < ${lanes}u) {\n${lines(bLoads, storeSum, "    ")}\n  }` : ""}
}`;
}

/** The step that a lane's vector of B belongs to, where one turn has several. */
function pickStep(usedK: number, j: number): string {
  let expr = "s0";
  for (let k = 1; k < usedK; k++) expr = `pick_step(${expr}, s${k}, k${j} == ${k}u)`;
  return expr;
}
