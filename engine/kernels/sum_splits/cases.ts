/**
 * Cases of the sums of partial products.
 * @module
 */
import { type Case, compare } from "../../verify/case.ts";
import { paddingChecks, runOnce, upload } from "../../verify/device.ts";
import { normals } from "../../verify/sample.ts";
import { sum } from "./sum_splits.ts";

function sums(splits: number, shape: readonly number[], accumulate: boolean): Case {
  return {
    op: "sum_splits",
    name: `${splits} parts of ${shape.join("x")}${accumulate ? ", added to what is there" : ""}`,
    async run(gpu) {
      const parts = normals(1, [splits, ...shape]), old = normals(2, shape);
      const found = await runOnce(gpu, "sum_splits", (plan) => {
        const y = upload(plan, "y", old);
        sum(plan, { parts: upload(plan, "parts", parts), y, accumulate });
        return { y };
      });
      const wanted = Float64Array.from(old.data, (v) => accumulate ? v : 0);
      parts.data.forEach((v, i) => wanted[i % wanted.length]! += v);
      return [...paddingChecks(found), compare("y", found.y.values, wanted)];
    },
  };
}

/** Cases of sums. */
export const sumSplitsCases: readonly Case[] = [
  sums(1, [5], false),
  sums(7, [3, 17], false),
  sums(64, [37, 21, 50], true),
];
