/**
 * What the cores share: the block of multiply-adds, the one part of a core that has to be generated. naga does not unroll loops over
 * register arrays, and the same tile written with loops ran ten times slower (docs/decisions.md).
 *
 * Names in generated text: `c<m>_<n4>` are sums, vectors of four columns; values of A are `a<m>` (form `k`: four steps of one row)
 * or `a<m4>_<k>` (form `m`: four rows of one step); values of B are `b<n>` (form `k`) or `b<k>_<n4>` (form `n`).
 * @module
 */

/** Rows (`tm`) and columns (`tn`) of the product that one invocation sums up; `tn` is a multiple of four. */
export interface InvocationTile {
  readonly tm: number;
  readonly tn: number;
}

/** How an op's loads are laid out. */
export interface Operands {
  /** `k`: `load_a` gives four steps of one row; `m`: four rows of one step. */
  readonly aVector: "k" | "m";
  /** `k`: `load_b` gives four steps of one column; `n`: four columns of one step. */
  readonly bVector: "k" | "n";
  /** Steps that a `load_a` of form `k` really holds, 1 to 4 (default); the rest are zeros and are skipped. */
  readonly usedK?: number;
  /** Rows of each vector of form `m` that are not padding, 1 to 4 (default). */
  readonly usedM?: number;
  /** Whether `store_col_sum` wants the sum over k of the columns of B (a bias gradient). */
  readonly colSums?: boolean;
}

/** Names of a vector's components. */
export const XYZW = ["x", "y", "z", "w"] as const;

/** 0 to n - 1. */
export function range(n: number): number[] {
  return Array.from({ length: n }, (_, i) => i);
}

/** `line` for 0 to n - 1, indented, a line each; nothing where it gives undefined. */
export function lines(n: number, line: (i: number) => string | undefined, indent = "  "): string {
  return range(n).map(line).filter((text) => text !== undefined).map((text) => indent + text).join("\n");
}

/** Declares the sums. */
export function accumulators({ tm, tn }: InvocationTile): string {
  return lines(tm, (m) => range(tn / 4).map((n) => `var c${m}_${n} = vec4f();`).join(" "));
}

/**
 * Nothing to sum where a workgroup's rows, `handles` vectors from `block * handles` on, and its columns are of different groups
 * of channels. The first block of rows also makes the column sums, which every group needs.
 */
export function skipApart(block: string, handles: number): string {
  const first = `${block} * ${handles}u`;
  return `  if (${block} > 0u && apart(${first}, ${first} + ${handles - 1}u, col0)) { count = 0u; }`;
}

/**
 * The multiply-adds of one vector along k. `valueOfB` is the expression that gives value `index` of B (counted by column, or by
 * step and then vector of columns); it stands right before its first use, so that few registers are alive.
 */
export function multiplyAdd(
  { tm, tn }: InvocationTile,
  { aVector, bVector, usedK = 4, usedM = 4 }: Operands,
  valueOfB: (index: number) => string,
): string {
  const a = (m: number, k: number) => aVector === "k" ? `a${m}.${XYZW[k]}` : `a${m >> 2}_${k}.${XYZW[m & 3]}`;
  const rows = range(tm).filter((m) => aVector === "k" || m % 4 < usedM);
  const out: string[] = [];
  if (bVector === "k") {
    for (const n of range(tn)) {
      out.push(`let b${n} = ${valueOfB(n)};`);
      for (const m of rows) {
        const acc = `c${m}_${n >> 2}.${XYZW[n & 3]}`;
        let sum = acc;
        for (const k of range(usedK)) sum = `fma(${a(m, k)}, b${n}.${XYZW[k]}, ${sum})`;
        out.push(`${acc} = ${sum};`);
      }
    }
  } else {
    for (const n of range(tn / 4)) {
      for (const k of range(usedK)) out.push(`let b${k}_${n} = ${valueOfB(k * tn / 4 + n)};`);
      for (const m of rows) {
        // Four products are summed before they meet the long sum: it is rounded a quarter as often, and float32 then
        // decides every ReLU and maximum of AlexNet's reference case as float64 does.
        let sum = `b0_${n} * ${a(m, 0)}`;
        for (let k = 1; k < usedK; k++) sum = `fma(b${k}_${n}, vec4f(${a(m, k)}), ${sum})`;
        out.push(`c${m}_${n} += ${sum};`);
      }
    }
  }
  return out.map((line) => `    ${line}`).join("\n");
}

/** Where a core's sums go, in WGSL; `m` counts the tile's rows and `n` their vectors of columns, both `u32`. */
export interface Stores {
  /** What brings the row up to `m`; it is there for every `n`. */
  readonly before: string;
  /** The row, and which of its parts. */
  readonly row: string;
  /** The column, in vectors. */
  readonly col: string;
}

/**
 * Stores every sum, in one loop that moves the sums down by one each time round. A store to an address that differs by lane is a branch
 * for each lane where software adapters have no scatter: written once for each sum, stores made up most of a kernel's code and of the
 * time that it takes to compile, two thirds with Mesa 25 (docs/decisions.md).
 */
export function storeSums({ tm, tn }: InvocationTile, { before, row, col }: Stores): string {
  const n4 = tn / 4, count = tm * n4;
  const sum = (i: number) => `c${Math.floor(i / n4)}_${i % n4}`;
  return `  for (var e = 0u; e < ${count}u; e++) {
    let m = e / ${n4}u;
    let n = e % ${n4}u;
    ${before}
    store(${row}, ${col}, ${sum(0)});
${lines(count - 1, (i) => `${sum(i)} = ${sum(i + 1)};`, "    ")}
  }`;
}
