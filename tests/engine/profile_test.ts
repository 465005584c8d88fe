import { assert, assertEquals } from "@std/assert";
import { backward, forward } from "../../engine/kernels/relu/relu.ts";
import { Plan } from "../../engine/plan.ts";
import { median, nextCount, profileLaunches, timesFrom } from "../../engine/profile.ts";
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

Deno.test("a pass gets as many launches as fill five milliseconds, but ten times as many as before at most", () => {
  assertEquals(nextCount(1, 10), 1);
  assertEquals(nextCount(1, 1), 5);
  assertEquals(nextCount(1, 0.01), 10);
  assertEquals(nextCount(100, 0.01), 500);
  // A coarse clock tells nothing of a short launch.
  assertEquals(nextCount(10, 0), 100);
  assertEquals(nextCount(900, 0), 1000);
});

Deno.test("where launches are repeated to keep a GPU busy, the time is still that of one", async () => {
  assertEquals(timesFrom(BigUint64Array.of(1_000_000n, 6_000_000n, 7_000_000n, 9_000_000n), [10, 1]), [
    0.5,
    2,
  ]);
  using gpu = await Gpu.request();
  using plan = new Plan(gpu, "profiled");
  forward(plan, { x: plan.tensor([1000]) });
  await plan.compile();
  const [time] = await profileLaunches(gpu, plan.bound, 1, true);
  assert(Number.isFinite(time!.milliseconds) && time!.milliseconds >= 0, `${time!.milliseconds} ms`);
});
