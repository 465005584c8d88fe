import { assert, assertEquals } from "@std/assert";
import { backward, forward } from "../../engine/kernels/relu/relu.ts";
import { Plan } from "../../engine/plan.ts";
import { median } from "../../engine/profile.ts";
import { Gpu } from "../../engine/gpu.ts";

Deno.test("the median is the middle value, or the mean of the two middle ones", () => {
  assertEquals(median([3]), 3);
  assertEquals(median([5, 1, 100]), 5);
  assertEquals(median([4, 1, 3, 100]), 3.5);
  assert(Number.isNaN(median([])));
});

Deno.test("a profile has a time for every launch, in order, and frees what it used", async () => {
  using gpu = await Gpu.request();
  using plan = new Plan(gpu, "profiled");
  const x = plan.tensor([1000]), y = forward(plan, { x });
  backward(plan, { y, dy: x });
  await plan.compile();
  const before = gpu.bytes;
  const times = await plan.profile(3);
  assertEquals(times.map(({ name }) => name), ["relu.forward", "relu.backward"]);
  const source = gpu.device.features.has("timestamp-query") ? "timestamp" : "wall";
  for (const time of times) {
    assertEquals(time.source, source);
    assert(Number.isFinite(time.milliseconds) && time.milliseconds >= 0, `${time.milliseconds} ms`);
  }
  assertEquals(gpu.bytes, before);
});
