/**
 * Cases of the search for bad numbers, and of u32 tensors, which it writes.
 * @module
 */
import type { Tensor } from "../../tensor.ts";
import { type Case, type Check, compare } from "../../verify/case.ts";
import { paddingChecks, runOnce, upload, uploadIntegers } from "../../verify/device.ts";
import { normals, type Values } from "../../verify/sample.ts";
import { count, nonFiniteAt } from "./check_finite.ts";

function finite(shape: readonly number[], bad: Readonly<Record<number, number>>, note: string): Case {
  return {
    op: "check_finite",
    name: `${shape.join("x")}, ${note}`,
    async run(gpu) {
      const values: Values = normals(1, shape, 1e30);
      for (const [i, value] of Object.entries(bad)) values.data[Number(i)] = value;
      let tensor: Tensor | undefined;
      const found = await runOnce(gpu, "check_finite", (plan) => {
        const results = plan.integers([3, 4], "results"), x = upload(plan, "values", values);
        tensor = x;
        count(plan, { x, results, slot: 1 });
        return { results };
      });
      const bits = found.results.values;
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

/** Cases of the search for bad numbers. */
export const checkFiniteCases: readonly Case[] = [
  integers,
  finite([37, 21, 50], {}, "all finite"),
  finite([1], { 0: NaN }, "one NaN"),
  finite([5, 3, 3, 17], { 100: Infinity, 300: NaN, 299: -Infinity }, "NaN and both infinities"),
  finite([4, 56, 56, 33], { 413_000: NaN, 413_001: NaN }, "large"),
];
