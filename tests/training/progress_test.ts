import { assertAlmostEquals, assertEquals } from "@std/assert";
import { compileProgress, RateMeter } from "../../training/run/progress.ts";
import type { RunEvent } from "../../training/run/events.ts";

Deno.test("steps that compile kernels are left out of the rate, and where there is no other there is none", () => {
  let clock = 0;
  const meter = new RateMeter(() => clock);
  meter.start();
  clock += 60_000;
  meter.leaveOut(8);
  clock += 3000;
  assertAlmostEquals(meter.mark(4 * 8)!, 8); // three steps of eight images in three seconds
  clock += 1000;
  assertAlmostEquals(meter.mark(3 * 8)!, 24);
  assertAlmostEquals(meter.epoch()!, 12);
  meter.start();
  clock += 4000;
  meter.leaveOut(8);
  clock += 500; // waiting for it
  assertEquals([meter.mark(8), meter.epoch()], [null, null]);
  clock += 1000;
  assertAlmostEquals(meter.mark(8)!, 8);
  assertAlmostEquals(meter.epoch()!, 8);
  meter.start();
  clock += 1000;
  meter.mark(16);
  assertAlmostEquals(meter.epoch()!, 16);
});

Deno.test("compiling is told once it has taken a while, to its end, and not where the driver had all", () => {
  let clock = 0;
  const events: RunEvent[] = [];
  const tell = compileProgress((event) => events.push(event), () => clock);
  const at = (ms: number, done: number, total: number) => (clock = ms, tell("Compiling", done, total));
  at(0, 4, 30);
  at(20, 20, 30);
  at(40, 30, 30);
  at(9000, 34, 36); // another sequence, quick too
  at(9100, 36, 36);
  assertEquals(events, []);
  at(20_000, 37, 40);
  at(21_500, 38, 40);
  at(21_600, 40, 40);
  const what = "Compiling kernel";
  assertEquals(events, [38, 40].map((done) => ({ event: "progress", what, done, total: 40 })));
});
