/**
 * Cases of the reordering.
 * @module
 */
import * as channelsLast from "./channels_last.ts";
import type { Case } from "../../verify/case.ts";
import { compare } from "../../verify/case.ts";
import { paddingChecks, runOnce, upload } from "../../verify/device.ts";
import { channelsLast as reference } from "./reference.ts";
import { normals } from "../../verify/sample.ts";

function reorder(n: number, c: number, h: number, w: number): Case {
  return {
    op: "channels_last",
    name: `${n}x${c}x${h}x${w}`,
    async run(gpu) {
      const x = normals(1, [n * c * h * w]);
      const found = await runOnce(gpu, "channels_last", (plan) => {
        const y = plan.tensor([n, h, w, c], "y");
        channelsLast.reorder(plan, { x: upload(plan, "x", x), y });
        return { y };
      });
      return [...paddingChecks(found), compare("y", found.y.values, reference(x.data, n, c, h * w), 0)];
    },
  };
}

/** Cases of the reordering: nothing is computed, so every value must be the same. */
export const channelsLastCases: readonly Case[] = [
  reorder(1, 1, 1, 1),
  reorder(3, 3, 21, 17),
  reorder(2, 4, 8, 8),
  reorder(2, 37, 5, 3),
];
