import { assert, assertEquals } from "@std/assert";
import { probeSubgroups, subgroupSizeFrom } from "../../engine/subgroups.ts";
import { gpu } from "../gpu.ts";

/** What a well-behaved device answers. */
function answer(size: number, invocations = 128): Uint32Array {
  return Uint32Array.from(
    { length: invocations },
    (_, i) => size * 65536 + (i % size) * 256 + Math.floor(i / size) * size + 3,
  );
}

for (const size of [4, 8, 16, 32, 64]) {
  Deno.test(`${size} lanes in order are recognised`, () =>
    assertEquals(subgroupSizeFrom(answer(size)), size));
}

for (const size of [0, 1, 2, 128, 12]) {
  Deno.test(`subgroups of ${size} lanes are not used`, () => {
    assertEquals(subgroupSizeFrom(answer(size || 1).map((v) => size === 0 ? v & 0xffff : v)), 0);
  });
}

Deno.test("lanes in another order are not used", () => {
  const swapped = answer(8);
  [swapped[0], swapped[1]] = [swapped[1]!, swapped[0]!];
  assertEquals(subgroupSizeFrom(swapped), 0);
});

Deno.test("subgroups of different sizes are not used", () => {
  assertEquals(subgroupSizeFrom(Uint32Array.of(...answer(8, 64), ...answer(16, 64))), 0);
});

Deno.test("a broadcast that does nothing is noticed", () => {
  const wrong = answer(8).map((value, i) => (value & ~0xff) | i);
  assertEquals(subgroupSizeFrom(wrong), 0);
});

Deno.test("no answer, or part of one, is no subgroup", () => {
  assertEquals(subgroupSizeFrom(new Uint32Array(0)), 0);
  assertEquals(subgroupSizeFrom(answer(8, 4)), 0);
});

Deno.test("this device's answer is a size that kernels can use, or 0", async () => {
  const { lanes, directive } = await probeSubgroups(gpu.device);
  assertEquals([lanes, directive], [gpu.subgroupSize, gpu.kernels.subgroups]);
  assert([0, 4, 8, 16, 32, 64].includes(lanes));
});
