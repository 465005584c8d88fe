/**
 * Cases of the channels' means and standard deviations.
 * @module
 */
import { type Case, compare } from "../../verify/case.ts";
import { paddingChecks, runOnce, upload } from "../../verify/device.ts";
import { normals } from "../../verify/sample.ts";
import * as moments from "./moments.ts";
import { moments as reference } from "./reference.ts";

function momentsOf(n: number, h: number, w: number, c: number, offset = 0): Case {
  return {
    op: "moments",
    name: `${n}x${h}x${w}x${c}${offset > 0 ? `, all about ${offset}` : ""}`,
    async run(gpu) {
      const drawn = normals(1, [n, h, w, c]), x = { ...drawn, data: drawn.data.map((v) => v + offset) };
      const found = await runOnce(
        gpu,
        "moments",
        (plan) => ({ y: moments.forward(plan, { x: upload(plan, "x", x) }) }),
      );
      return [...paddingChecks(found), compare("y", found.y.values, reference(x.data, n, h * w, c))];
    },
  };
}

/** Cases of the moments. */
export const momentsCases: readonly Case[] = [
  momentsOf(1, 1, 1, 1),
  momentsOf(3, 7, 5, 3),
  momentsOf(2, 21, 37, 50),
  momentsOf(5, 4, 4, 192),
  momentsOf(2, 13, 9, 6, 1000),
];
