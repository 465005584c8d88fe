/**
 * What runs over whole arenas beside the optimisers: clipping, averaging, sums of parts and the search for bad numbers.
 * @module
 */
import { checkFinite, nonFiniteAt } from "./check_finite/check_finite.ts";
import { addInto, putColumns, takeColumns } from "./columns/columns.ts";
import { emaUpdate } from "./ema/ema.ts";
import { clipByGlobalNorm, globalNormPartials } from "./global_norm/global_norm.ts";
import { sumSplits } from "./sum_splits/sum_splits.ts";
import { type Case, type Check, compare } from "../verify/case.ts";
import { paddingChecks, runOnce, upload, uploadIntegers } from "../verify/device.ts";
import { clipFactor } from "./optimizer/reference.ts";
import { normals, type Values } from "../verify/sample.ts";

function clip(sizes: readonly number[], maxNorm: number, note: string, scale = 1): Case {
  return {
    op: "global_norm",
    name: `${sizes.join(" + ")} values, at most ${maxNorm}${note}`,
    async run(gpu) {
      const gradients = sizes.map((size, i) => normals(i, [size], 0.1));
      const found = await runOnce(gpu, "global_norm", (plan) => {
        const tensors = gradients.map((gradient) => upload(plan, "gradient", gradient));
        const hyper = upload(plan, "hyper", { shape: [4], data: Float32Array.of(0.1, scale, 7, 0) });
        const partials = plan.tensor([globalNormPartials(tensors)]), norm = plan.tensor([4]);
        plan.add(...clipByGlobalNorm(tensors, partials, hyper, norm, { maxNorm }));
        return { hyper, norm };
      });
      const scaled = gradients.map(({ data }) => Float64Array.from(data, (g) => g * scale));
      const { norm, factor } = clipFactor(scaled, maxNorm);
      return [
        ...paddingChecks(found),
        compare("norm and factor", found.norm!.values, [norm, factor, 0, 0]),
        compare("hyper", found.hyper!.values, [0.1, scale * factor, 7, 0]),
      ];
    },
  };
}

function average(size: number, decay: number, step: number, stop = 0): Case {
  return {
    op: "ema",
    name: `${size} values, decay ${decay}, step ${step}${stop ? ", stopped" : ""}`,
    async run(gpu) {
      const p = normals(1, [size]), old = normals(2, [size]);
      const found = await runOnce(gpu, "ema", (plan) => {
        const averaged = upload(plan, "averaged", old);
        const hyper = upload(plan, "hyper", { shape: [4], data: Float32Array.of(0.1, 1, step, stop) });
        plan.add(emaUpdate(upload(plan, "parameter", p), averaged, hyper, { decay }));
        return { averaged };
      });
      const kept = stop ? 1 : Math.min(decay, (1 + step) / (10 + step));
      const wanted = Array.from(p.data, (v, i) => kept * old.data[i]! + (1 - kept) * v);
      return [...paddingChecks(found), compare("averaged", found.averaged!.values, wanted)];
    },
  };
}

function sums(splits: number, shape: readonly number[], accumulate: boolean): Case {
  return {
    op: "sum_splits",
    name: `${splits} parts of ${shape.join("x")}${accumulate ? ", added to what is there" : ""}`,
    async run(gpu) {
      const parts = normals(1, [splits, ...shape]), old = normals(2, shape);
      const found = await runOnce(gpu, "sum_splits", (plan) => {
        const y = upload(plan, "y", old);
        plan.add(sumSplits(upload(plan, "parts", parts), y, { accumulate }));
        return { y };
      });
      const wanted = Float64Array.from(old.data, (v) => accumulate ? v : 0);
      parts.data.forEach((v, i) => wanted[i % wanted.length]! += v);
      return [...paddingChecks(found), compare("y", found.y!.values, wanted)];
    },
  };
}

function columns(rows: number, wide: number, narrow: number, first: number): Case {
  return {
    op: "columns",
    name: `${narrow} of ${wide} columns from ${first} on, ${rows} rows`,
    async run(gpu) {
      const a = normals(1, [rows, wide]), b = normals(2, [rows, narrow]);
      const found = await runOnce(gpu, "columns", (plan) => {
        const from = upload(plan, "wide", a), part = upload(plan, "narrow", b);
        const taken = plan.tensor([rows, narrow]), put = upload(plan, "put", a), sum = upload(plan, "sum", a);
        plan.add(takeColumns(from, taken, first), putColumns(part, put, first), addInto(from, sum));
        return { taken, put, sum };
      });
      const inside = (i: number) => i % wide >= first && i % wide < first + narrow;
      const put = a.data.map((v, i) =>
        inside(i) ? b.data[Math.floor(i / wide) * narrow + i % wide - first]! : v
      );
      return [
        ...paddingChecks(found),
        compare("taken", found.taken!.values, a.data.filter((_, i) => inside(i)), 0),
        compare("put", found.put!.values, put, 0),
        compare("sum", found.sum!.values, a.data.map((v) => 2 * v), 0),
      ];
    },
  };
}

/** `bad` sets values by index; the first one must be found. */
function finite(shape: readonly number[], bad: Readonly<Record<number, number>>, note: string): Case {
  return {
    op: "check_finite",
    name: `${shape.join("x")}, ${note}`,
    async run(gpu) {
      const values: Values = normals(1, shape, 1e30);
      for (const [i, value] of Object.entries(bad)) values.data[Number(i)] = value;
      let tensor;
      const found = await runOnce(gpu, "check_finite", (plan) => {
        tensor = upload(plan, "values", values);
        const results = plan.tensor([3, 4], "results");
        plan.add(checkFinite(tensor, results, 1));
        return { results };
      });
      const bits = new Uint32Array(found.results!.values.buffer);
      const report = nonFiniteAt(bits, 1, tensor!);
      const wanted = Object.keys(bad).map(Number).sort((a, b) => a - b);
      const index = report?.first.reduce((at, i, axis) => at * shape[axis]! + i, 0);
      const checks: Check[] = [
        {
          quantity: "count (difference)",
          error: Math.abs((report?.count ?? 0) - wanted.length),
          tolerance: 0,
        },
        { quantity: "other slots", error: bits[0]! + bits[8]!, tolerance: 0 },
      ];
      if (wanted.length > 0) {
        const error = Math.abs((index ?? NaN) - wanted[0]!);
        checks.push({ quantity: "first index (difference)", error, tolerance: 0 });
      }
      return checks;
    },
  };
}

/** A u32 tensor travels unchanged, also where its bits would be a NaN's. */
const integers: Case = {
  op: "tensor",
  name: "7 u32 values come back bit for bit",
  async run(gpu) {
    const data = Uint32Array.of(0, 1, 0xffffffff, 0x7fc00001, 0x7f800001, 0x80000000, 0xdeadbeef);
    const found = await runOnce(gpu, "integers", (plan) => ({ data: uploadIntegers(plan, "data", data) }));
    const back = new Uint32Array(found.data!.values.buffer);
    return [...paddingChecks(found), compare("bits", back, data, 0)];
  },
};

/** Cases of kernels over arenas and of plain data movement. */
export const arenaCases: readonly Case[] = [
  integers,
  clip([1], 1, ""),
  clip([37, 50, 1], 0.5, ""),
  clip([37, 50, 1], 1e3, ", nothing to clip"),
  clip([37, 50], 0.1, ", gradients scaled by 1/8", 0.125),
  clip([1_300_001, 70_001], 1, ", large"),
  average(1, 0.9, 1),
  average(37, 0.999, 20_000),
  average(37, 0.9, 3, 1),
  average(300_001, 0, 7),
  sums(1, [5], false),
  sums(7, [3, 17], false),
  sums(64, [37, 21, 50], true),
  columns(5, 37, 17, 20),
  columns(5, 40, 16, 20),
  columns(37, 9, 4, 4),
  finite([37, 21, 50], {}, "all finite"),
  finite([1], { 0: NaN }, "one NaN"),
  finite([5, 3, 3, 17], { 100: Infinity, 300: NaN, 299: -Infinity }, "NaN and both infinities"),
  finite([4, 56, 56, 33], { 413_000: NaN, 413_001: NaN }, "large"),
];
