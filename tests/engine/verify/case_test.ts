import { assert, assertEquals } from "@std/assert";
import type { Gpu } from "../../../engine/gpu.ts";
import { type Case, compare, normalisedError, passed } from "../../../engine/verify/case.ts";
import { rowText } from "../../../engine/verify/report.ts";
import { runCases } from "../../../engine/verify/run.ts";

Deno.test("the normalised error is the distance over the wanted size", () => {
  assertEquals(normalisedError([3, 4], [3, 4]), 0);
  assertEquals(normalisedError([0, 0], [3, 4]), 1);
  assertEquals(normalisedError([3, 4.5], [3, 4]), 0.1);
});

Deno.test("against zeros the error is the size itself", () => {
  assertEquals(normalisedError([0, 0], [0, 0]), 0);
  assertEquals(normalisedError([3, 4], [0, 0]), 5);
});

Deno.test("an error that is not a number never passes", () => {
  assert(!passed(compare("y", [NaN, 1], [1, 1])));
  assert(!passed(compare("y", [1, 1], [NaN, 1])));
  assert(!passed(compare("y", [Infinity], [1])));
  assert(!passed(compare("y", [1], [1, 1])), "lengths differ");
  assert(passed(compare("y", [1], [1], 0)));
});

// None of these cases touches the device.
const gpu = undefined as unknown as Gpu;

const invented = (run: Case["run"]): Case => ({ op: "invented", name: "case", run });

Deno.test("a case that throws, or checks nothing, fails, and those after it run", async () => {
  const seen: string[] = [];
  const rows = await runCases(gpu, [
    invented(() => Promise.reject(new Error("no luck"))),
    invented(() => {
      throw "not even an error";
    }),
    invented(() => Promise.resolve([])),
    invented(() => Promise.resolve([compare("y", [1], [2])])),
    invented(() => Promise.resolve([compare("y", [1], [1])])),
  ], (row) => seen.push(row.failure ?? "-"));
  assertEquals(rows.map((row) => row.passed), [false, false, false, false, true]);
  assertEquals(seen, ["no luck", "not even an error", "-", "-", "-"]);
});

Deno.test("a table line shows the worst errors, NaN before all", () => {
  const check = (quantity: string, error: number) => ({ quantity, error, tolerance: 1e-5 });
  const row = {
    op: "relu",
    name: "3",
    checks: [check("y", 1e-7), check("dx", NaN), check("slope of x", 2e-6)],
    passed: false,
    seconds: 0,
  };
  const [line, ...details] = rowText(row);
  assertEquals(line!.split(/\s+/), ["FAIL", "NaN", "2.0e-6", "relu", "3"]);
  assertEquals(details, ["       dx: error NaN, allowed 0.00001"]);
});
