/**
 * Cases of moving columns: nothing is computed, so every value must be the same.
 * @module
 */
import { type Case, compare } from "../../verify/case.ts";
import { paddingChecks, runOnce, upload } from "../../verify/device.ts";
import { normals } from "../../verify/sample.ts";
import { put, take } from "./columns.ts";

function columns(rows: number, wide: number, narrow: number, first: number): Case {
  return {
    op: "columns",
    name: `${narrow} of ${wide} columns from ${first} on, ${rows} rows`,
    async run(gpu) {
      const a = normals(1, [rows, wide]), b = normals(2, [rows, narrow]);
      const found = await runOnce(gpu, "columns", (plan) => {
        const taken = plan.tensor([rows, narrow]), filled = upload(plan, "filled", a);
        take(plan, { wide: upload(plan, "wide", a), narrow: taken, first });
        put(plan, { wide: filled, narrow: upload(plan, "narrow", b), first });
        return { taken, filled };
      });
      const inside = (i: number) => i % wide >= first && i % wide < first + narrow;
      const filled = a.data.map((v, i) =>
        inside(i) ? b.data[Math.floor(i / wide) * narrow + i % wide - first]! : v
      );
      return [
        ...paddingChecks(found),
        compare("taken", found.taken.values, a.data.filter((_, i) => inside(i)), 0),
        compare("filled", found.filled.values, filled, 0),
      ];
    },
  };
}

/** Cases of moving columns. */
export const columnsCases: readonly Case[] = [
  columns(5, 37, 17, 20),
  columns(5, 40, 16, 20),
  columns(37, 9, 4, 4),
];
