import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { CheckpointError } from "../../../model/checkpoint/checkpoint.ts";
import { decodeExemplars, encodeExemplars } from "../../../model/checkpoint/exemplars.ts";
import {
  describedBy,
  distanceTo,
  energyScore,
  exemplarsOf,
  Familiarity,
} from "../../../model/inference/familiarity.ts";
import { normal } from "../../../engine/random.ts";
import { unknownRule } from "../../../training/evaluation/trust.ts";

/** Moments of two maps that lie about `centre`. */
const moments = (i: number, centre: number) =>
  [0, 1].map((map) =>
    Float32Array.from({ length: 4 }, (_, k) => 5 + centre * (k % 2) + 0.3 * normal(map, 0, 4 * i + k, 0))
  );

Deno.test("a photo is described by its maps' moments, each map scaled to length 1", () => {
  assertEquals(describedBy([Float32Array.of(3, 4), Float32Array.of(0, 0)]), Float32Array.of(0.6, 0.8, 0, 0));
});

Deno.test("the distance to exemplars is that of plain loops over all of them, to what a byte can hold", () => {
  const described = Array.from({ length: 40 }, (_, i) => describedBy(moments(i, 0)));
  const exemplars = exemplarsOf(["a", "b"], described);
  const other = describedBy(moments(100, 0.4)), length = other.length;
  const mean = Array.from({ length }, (_, k) => described.reduce((sum, row) => sum + row[k]!, 0) / 40);
  const deviation = mean.map((m, k) =>
    Math.sqrt(described.reduce((sum, row) => sum + (row[k]! - m) ** 2, 0) / 40)
  );
  const distances = described.map((row) =>
    Math.sqrt(row.reduce((sum, v, k) => sum + ((v - other[k]!) / deviation[k]!) ** 2, 0))
  ).sort((a, b) => a - b);
  const wanted = distances.slice(0, 5).reduce((sum, d) => sum + d, 0) / 5;
  assertAlmostEquals(distanceTo(exemplars, other) / wanted, 1, 0.02);
  assert(distanceTo(exemplars, described[7]!, 7) > distanceTo(exemplars, described[7]!));
});

Deno.test("a rule refuses the share that was wanted of the photos it was chosen on, and what is far from all of them", () => {
  const logits = (i: number) => Float32Array.of(4 + normal(9, 0, i, 0), 0);
  const exemplars = exemplarsOf(
    ["a", "b"],
    Array.from({ length: 100 }, (_, i) => describedBy(moments(i, 0))),
  );
  const held = Array.from({ length: 60 }, (_, i) => ({ logits: logits(i), moments: moments(500 + i, 0) }));
  const rule = unknownRule(held, exemplars, 0.05), familiarity = new Familiarity(rule, exemplars);
  const refused = held.filter((pass) => familiarity.of(pass) < rule.threshold);
  assertEquals([rule.photos, rule.falseRefusals, refused.length], [60, 0.05, 3]);
  assert(familiarity.of({ logits: logits(0), moments: moments(1000, 4) }) < rule.threshold);
  assert(familiarity.of({ logits: Float32Array.of(-9, -9), moments: moments(1000, 0) }) < rule.threshold);
  const alone = unknownRule(held, undefined, 0.05);
  assertEquals(alone.distance, undefined);
  assertAlmostEquals(
    alone.energy.centre,
    held.map((pass) => energyScore(pass.logits)).sort((a, b) => a - b)[30]!,
    1e-9,
  );
  assertThrows(() => new Familiarity(rule, undefined), CheckpointError, "lacks the exemplars of its rule");
});

Deno.test("exemplars come back from their string as they were, and other strings are refused", () => {
  const exemplars = exemplarsOf(["a", "b"], Array.from({ length: 9 }, (_, i) => describedBy(moments(i, 0))));
  assertEquals(decodeExemplars(encodeExemplars(exemplars), "a file"), exemplars);
  for (const wrong of ["", "{}", encodeExemplars({ ...exemplars, data: exemplars.data.subarray(1) })]) {
    assertThrows(() => decodeExemplars(wrong, "a file"), CheckpointError, "Cannot use a file: its exemplars");
  }
});
