import { assert, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import {
  balancedOrder,
  evaluationBatches,
  trainingBatchCount,
  trainingBatches,
} from "../../../data/dataset/batches.ts";
import { hashedSplit } from "../../../data/dataset/sampler.ts";
import { shuffle } from "../../../engine/random.ts";

Deno.test("an epoch of training has every sample, in full batches of different ones", () => {
  for (const [count, size] of [[103, 10], [101, 100], [19, 10], [33, 32], [7, 4], [120, 32]] as const) {
    for (const epoch of [0, 1, 2]) {
      const batches = trainingBatches(count, size, 1, epoch), full = Math.ceil(count / size);
      assertEquals([batches.length, trainingBatchCount(count, size)], [full, full]);
      assertEquals(batches.map((b) => new Set(b).size), Array(full).fill(size));
      assertEquals(new Set(batches.flatMap((b) => [...b])).size, count);
    }
  }
});

Deno.test("where all batches are full, the samples come once and in the order of the epoch's shuffle", () => {
  const flat = trainingBatches(96, 8, 5, 3).flatMap((b) => [...b]);
  assertEquals(flat, [...shuffle(96, 5, 3)]);
});

Deno.test("the samples that an epoch sees twice change from epoch to epoch", () => {
  const twice = (epoch: number) => {
    const flat = trainingBatches(11, 10, 1, epoch).flatMap((b) => [...b]);
    return flat.filter((sample, i) => flat.indexOf(sample) < i).sort();
  };
  assertEquals(twice(0).length, 9);
  assertNotEquals([0, 1, 2, 3].map(twice).map(String), Array(4).fill(String(twice(0))));
});

Deno.test("a step of several batches is these batches, and the last step those that are left", () => {
  const single = trainingBatches(103, 10, 1, 4), steps = trainingBatches(103, 10, 1, 4, 3);
  assertEquals(steps.map((step) => step.length), [30, 30, 30, 20]);
  assertEquals(steps.flatMap((step) => [...step]), single.flatMap((batch) => [...batch]));
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

Deno.test("fewer samples than a batch are one batch of all of them, and none are none", () => {
  assertEquals(trainingBatches(3, 4, 1, 0).map((batch) => [...batch].sort()), [[0, 1, 2]]);
  assertEquals(trainingBatches(0, 4, 1, 0), []);
});

Deno.test("impossible sizes are refused by name", () => {
  assertThrows(() => trainingBatches(10, 0, 1, 0), RangeError, "batch size of 0");
  assertThrows(() => evaluationBatches(10, 2.5), RangeError, "batch size of 2.5");
  assertThrows(() => evaluationBatches(-1, 2), RangeError, "-1 samples");
});

const named = (count: number, from = 0) =>
  Array.from({ length: count }, (_, i) => ({ class: "cat", file: `${from + i}.jpg` }));
const splitsOf = (photos: ReturnType<typeof named>, seed = 1, shares = { valid: 0.1, test: 0.1 }) =>
  new Map(hashedSplit(photos, seed, shares).map(({ file, split }) => [file, split]));

Deno.test("photos that come or go move no other photo of a class to another split", () => {
  for (const seed of [1, 2, 3]) {
    const all = splitsOf(named(300), seed);
    for (const some of [named(150), named(150, 150), named(40, 130)]) {
      for (const [file, split] of splitsOf(some, seed)) assertEquals(split, all.get(file), file);
    }
  }
  const [a, b] = [splitsOf(named(300), 1), splitsOf(named(300), 2)];
  assert([...a].some(([file, split]) => b.get(file) !== split), "the seed decides, too");
});

Deno.test("a hashed split has its shares within four standard deviations, and of every seed", () => {
  for (let seed = 0; seed < 50; seed++) {
    const splits = [...splitsOf(named(1000), seed).values()];
    for (const [name, share] of [["valid", 0.1], ["test", 0.1], ["train", 0.8]] as const) {
      const count = splits.filter((split) => split === name).length;
      assert(Math.abs(count - 1000 * share) < 4 * Math.sqrt(1000 * share * (1 - share)), `${name}: ${count}`);
    }
  }
});

Deno.test("a small class has a photo in each split that it has photos for, and no training photo is held out when it grows", () => {
  for (let seed = 0; seed < 200; seed++) {
    const count = (n: number, split: string) =>
      [...splitsOf(named(n), seed).values()].filter((s) => s === split).length;
    assertEquals([1, 2].map((n) => ["train", "valid", "test"].map((split) => count(n, split))), [[1, 0, 0], [
      1,
      1,
      0,
    ]]);
    for (let n = 3; n < 20; n++) {
      for (const split of ["train", "valid", "test"]) {
        assert(count(n, split) > 0, `${n} photos, ${split}, seed ${seed}`);
      }
      const before = splitsOf(named(n), seed), after = splitsOf(named(n + 1), seed);
      // The exception that the rule names: a class all of whose hashes lie in the shares.
      if ([...before.values()].filter((split) => split === "train").length === 1) continue;
      for (const [file, split] of before) if (split === "train") assertEquals(after.get(file), "train");
    }
  }
});

Deno.test("a name means the same however its accents are composed", () => {
  const split = (file: string) => [...splitsOf([...named(9), { class: "cat", file }]).values()].at(-1);
  for (let i = 0; i < 50; i++) assertEquals(split(`é${i}`.normalize("NFD")), split(`é${i}`.normalize("NFC")));
});

Deno.test("a balanced epoch has as many of each class, rare ones repeated and frequent ones each at most once", () => {
  const labels = [...Array(70).fill(0), ...Array(9).fill(2), ...Array(22).fill(1)];
  const counts = (order: Uint32Array) => Map.groupBy(order, (index) => index);
  for (const epoch of [0, 1, 2]) {
    const order = balancedOrder(labels, 4, epoch);
    assertEquals(order.length, labels.length);
    const perClass = Map.groupBy(order, (index) => labels[index]!);
    assertEquals([...perClass.values()].map((some) => some.length).sort(), [33, 34, 34]);
    for (const [index, times] of counts(order)) {
      const most = { 0: [1], 1: [1, 2], 2: [3, 4] }[labels[index]! as 0 | 1 | 2];
      assert(
        most.includes(times.length),
        `${index} of class ${labels[index]} is there ${times.length} times`,
      );
    }
    assertEquals(order, balancedOrder(labels, 4, epoch));
  }
  assertNotEquals(balancedOrder(labels, 4, 0), balancedOrder(labels, 4, 1));
  assertNotEquals(balancedOrder(labels, 4, 0), balancedOrder(labels, 5, 0));
  // In time every sample of the frequent class has its turn.
  const seen = new Set(
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11].flatMap((epoch) => [...balancedOrder(labels, 4, epoch)]),
  );
  assertEquals(seen.size, labels.length);
  const batches = trainingBatches(labels.length, 10, 4, 0, 1, balancedOrder(labels, 4, 0));
  assertEquals(batches.flatMap((batch) => [...batch]).slice(0, 101), [...balancedOrder(labels, 4, 0)]);
});
