import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { forward } from "../../../engine/kernels/dropout/dropout.ts";
import { runOnce, upload, uploadIntegers } from "../../../engine/verify/device.ts";
import { gpu } from "../../gpu.ts";

/** Which of so many ones survive. */
async function survivors(shape: number[], seed: number, step: number, stream: number, rate = 0.5) {
  const size = shape.reduce((a, b) => a * b, 1);
  const { y } = await runOnce(gpu, "dropout", (plan) => {
    const x = upload(plan, "x", { shape, data: new Float32Array(size).fill(1) });
    const random = uploadIntegers(plan, "random", Uint32Array.of(seed, step, 0, 0));
    return { y: forward(plan, { x, random, rate, stream }) };
  });
  return [...y.values].map((v) => v !== 0);
}

Deno.test("a dropout mask depends neither on the shape nor on the padding", async () => {
  assertEquals(await survivors([2, 3, 3, 7], 1, 1, 1), await survivors([126], 1, 1, 1));
});

Deno.test("a dropout mask is another one for another seed, step or layer", async () => {
  const mask = await survivors([126], 1, 1, 1);
  assertEquals(await survivors([126], 1, 1, 1), mask);
  assertNotEquals(await survivors([126], 2, 1, 1), mask);
  assertNotEquals(await survivors([126], 1, 2, 1), mask);
  assertNotEquals(await survivors([126], 1, 1, 2), mask);
});

for (const rate of [0.1, 0.5, 0.9]) {
  Deno.test(`dropout at rate ${rate} drops about that share`, async () => {
    const size = 100_000;
    const dropped = (await survivors([size], 5, 6, 7, rate)).filter((kept) => !kept).length;
    // Five standard deviations of a binomial.
    assert(
      Math.abs(dropped - rate * size) < 5 * Math.sqrt(size * rate * (1 - rate)),
      `${dropped} of ${size}`,
    );
  });
}
