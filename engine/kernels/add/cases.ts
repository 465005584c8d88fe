/**
 * Cases of sums of two tensors.
 * @module
 */
import { type Case, compare } from "../../verify/case.ts";
import { paddingChecks, runOnce, upload } from "../../verify/device.ts";
import { normals, ties } from "../../verify/sample.ts";
import * as add from "./add.ts";
import { addForward, addMasked } from "./reference.ts";

function sumOf(shape: readonly number[], note = ""): Case {
  return {
    op: "add",
    name: shape.join("x") + note,
    async run(gpu) {
      const a = normals(1, shape), b = normals(2, shape), x = ties(3, shape);
      const found = await runOnce(gpu, "add", (plan) => {
        const ta = upload(plan, "a", a), tb = upload(plan, "b", b), total = upload(plan, "total", b);
        add.accumulate(plan, { x: ta, y: total });
        return {
          y: add.forward(plan, { a: ta, b: tb }),
          rectified: add.forward(plan, { a: ta, b: tb, relu: true }),
          masked: add.masked(plan, { a: ta, b: tb, x: upload(plan, "x", x) }),
          total,
        };
      });
      const y = addForward(a.data, b.data);
      return [
        ...paddingChecks(found),
        compare("y", found.y.values, y),
        compare("y with ReLU", found.rectified.values, y.map((v) => Math.max(v, 0))),
        compare("masked y", found.masked.values, addMasked(a.data, b.data, x.data)),
        compare("y added up", found.total.values, y),
      ];
    },
  };
}

/** Cases of sums. */
export const addCases: readonly Case[] = [
  sumOf([1]),
  sumOf([37, 21, 50]),
  sumOf([2, 5, 3, 17]),
  sumOf([4, 56, 56, 33], ", large"),
];
