/**
 * Cases of mixing samples.
 * @module
 */
import { type Case, compare } from "../../verify/case.ts";
import { paddingChecks, runOnce, upload, uploadIntegers } from "../../verify/device.ts";
import { normals } from "../../verify/sample.ts";
import { encodePair, type MixPair, mixSamples, PAIR_WORDS } from "./mix.ts";
import { mixSamples as reference } from "./reference.ts";

/** `exact`: nothing is rounded, so the device gives the same bits. */
function mixed(
  name: string,
  shape: readonly [number, number, number, number],
  pairs: readonly MixPair[],
  exact = false,
): Case {
  return {
    op: "mix",
    name: `${shape.join("x")}, ${name}`,
    async run(gpu) {
      const x = normals(1, shape);
      const records = new Uint32Array(pairs.length * PAIR_WORDS);
      pairs.forEach((pair, n) => encodePair(pair, records, n * PAIR_WORDS));
      const found = await runOnce(gpu, "mix", (plan) => {
        const y = plan.tensor(shape, "y");
        const all = uploadIntegers(plan, "pairs", records, [pairs.length, PAIR_WORDS]);
        mixSamples(plan, { x: upload(plan, "x", x), pairs: all, y });
        return { y };
      });
      const wanted = reference(x.data, shape, pairs);
      return [...paddingChecks(found), compare("y", found.y.values, wanted, exact ? 0 : undefined)];
    },
  };
}

const box = (x0: number, y0: number, x1: number, y1: number) => ({ x0, y0, x1, y1 });

/** Cases of mixing samples. */
export const mixCases: readonly Case[] = [
  mixed("mixup", [5, 7, 9, 3], [4, 3, 2, 1, 0].map((partner, n) => ({ partner, share: 0.1 + 0.2 * n }))),
  mixed(
    "cutmix, boxes at the edges and empty ones",
    [4, 11, 6, 3],
    [
      { partner: 3, share: 1, box: box(0, 0, 6, 1) },
      { partner: 2, share: 1, box: box(5, 10, 6, 11) },
      { partner: 1, share: 1, box: box(2, 3, 2, 9) },
      { partner: 0, share: 1, box: box(1, 2, 4, 9) },
    ],
    true,
  ),
  mixed("left as they are", [3, 5, 5, 3], [0, 1, 2].map((partner) => ({ partner, share: 1 })), true),
  mixed("large", [32, 128, 128, 3], Array.from({ length: 32 }, (_, n) => ({ partner: 31 - n, share: 0.3 }))),
];
