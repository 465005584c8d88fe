import { assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { evaluationBatches, trainingBatchCount, trainingBatches } from "../../../data/dataset/sampler.ts";

Deno.test("an epoch of training has only full batches and repeats no sample", () => {
  const batches = trainingBatches(103, 10, 1, 0);
  assertEquals(batches.length, 10);
  assertEquals(trainingBatchCount(103, 10), 10);
  assertEquals(batches.map((b) => b.length), Array(10).fill(10));
  assertEquals(new Set(batches.flatMap((b) => [...b])).size, 100);
});

Deno.test("the samples left out of an epoch change from epoch to epoch", () => {
  const used = (epoch: number) => trainingBatches(11, 10, 1, epoch)[0]!.toSorted();
  assertNotEquals([0, 1, 2, 3].map(used).map(String), Array(4).fill(String(used(0))));
});

Deno.test("the same seed and epoch give the same batches", () => {
  assertEquals(trainingBatches(50, 8, 5, 2), trainingBatches(50, 8, 5, 2));
  assertNotEquals(trainingBatches(50, 8, 5, 2), trainingBatches(50, 8, 5, 3));
  assertNotEquals(trainingBatches(50, 8, 5, 2), trainingBatches(50, 8, 6, 2));
});

Deno.test("evaluation covers every sample once, in order, with a short last batch", () => {
  const batches = evaluationBatches(7, 3);
  assertEquals(batches.map((b) => [...b]), [[0, 1, 2], [3, 4, 5], [6]]);
  assertEquals(evaluationBatches(0, 3), []);
});

Deno.test("fewer samples than a batch give no training batch", () => {
  assertEquals(trainingBatches(3, 4, 1, 0), []);
});

Deno.test("impossible sizes are refused by name", () => {
  assertThrows(() => trainingBatches(10, 0, 1, 0), RangeError, "batch size of 0");
  assertThrows(() => evaluationBatches(10, 2.5), RangeError, "batch size of 2.5");
  assertThrows(() => evaluationBatches(-1, 2), RangeError, "-1 samples");
});
