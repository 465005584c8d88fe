/** The kernels on the smallest device that WebGPU allows: default limits and no subgroups. */
import { assert, assertEquals } from "@std/assert";
import { Gpu } from "../../engine/gpu.ts";
import { ALL_CASES } from "../../verify/cases/mod.ts";
import { rowText } from "../../verify/doctor.ts";
import { runCases } from "../../verify/run.ts";

/** Products compile slowly without subgroups, so a few stand for all. */
const FEW: Readonly<Record<string, number>> = { conv2d: 4, linear: 2, network: 1 };

Deno.test("every operation is right with minimum limits and without subgroups", async (t) => {
  using gpu = await Gpu.request({ minimumLimits: true, noSubgroups: true });
  assertEquals(gpu.subgroupSize, 0);
  const byOperation = Map.groupBy(ALL_CASES, ({ op }) => op);
  assert(byOperation.size > 15);
  for (const [op, all] of byOperation) {
    await t.step(op, async () => {
      const cases = all.filter(({ name }) => !/large|workgroup|subgroups/.test(name)).slice(0, FEW[op]);
      const rows = await runCases(gpu, cases);
      const failures = rows.filter(({ passed }) => !passed).map((row) => rowText(row).join("\n"));
      assertEquals(failures, []);
      assert(rows.length > 0);
    });
  }
});
