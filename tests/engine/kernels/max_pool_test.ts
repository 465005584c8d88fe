import { maxPoolCases } from "../../../engine/kernels/max_pool/cases.ts";
import { maxPoolForward, poolOutput } from "../../../engine/kernels/max_pool/max_pool.ts";
import { assertEquals } from "@std/assert";
import { assertRefuses, shapeOnly, testCases } from "../../gpu.ts";

testCases(maxPoolCases);

Deno.test("a pooling's output rounds down", () => {
  assertEquals(poolOutput(13, { kernel: 3, stride: 2 }), 6);
  assertEquals(poolOutput(12, { kernel: 3, stride: 2 }), 5);
  assertEquals(poolOutput(5, { kernel: 2 }), 2);
  assertEquals(poolOutput(4, { kernel: 3, stride: 1, padding: 1 }), 4);
});

Deno.test("max_pool refuses an output of another shape, and says which it gives", () => {
  const build = () => maxPoolForward(shapeOnly([2, 9, 9, 5]), shapeOnly([2, 5, 5, 5]), { kernel: 2 });
  assertRefuses(build, "Cannot build max_pool", "[2,5,5,5]", "[2,4,4,5]");
});

Deno.test("max_pool refuses a window that does not fit and padding beyond half a window", () => {
  const x = shapeOnly([1, 2, 2, 4]);
  assertRefuses(() => maxPoolForward(x, x, { kernel: 3 }), "Cannot build max_pool", "3x3 windows");
  assertRefuses(
    () => maxPoolForward(x, x, { kernel: 2, padding: 2 }),
    "Cannot build max_pool",
    "padding is 2",
  );
});

Deno.test("max_pool refuses winners of another length, and windows too large for a byte", () => {
  const x = shapeOnly([1, 32, 32, 4]), y = shapeOnly([1, 16, 16, 4]);
  const short = () => maxPoolForward(x, y, { kernel: 2, winners: shapeOnly([255]) });
  assertRefuses(short, "Cannot build max_pool", "winners of 2x2 windows are [255]", "wanted", "[256]");
  const large = { kernel: 16, winners: shapeOnly([4]) };
  assertRefuses(() => maxPoolForward(x, shapeOnly([1, 2, 2, 4]), large), "at most 15x15");
  maxPoolForward(x, shapeOnly([1, 2, 2, 4]), { kernel: 16 });
});
