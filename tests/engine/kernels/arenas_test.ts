import { arenaCases } from "../../../engine/kernels/arena_cases.ts";
import { assertEquals } from "@std/assert";
import { checkFinite, nonFiniteAt } from "../../../engine/kernels/check_finite/check_finite.ts";
import { putColumns, takeColumns } from "../../../engine/kernels/columns/columns.ts";
import { emaUpdate } from "../../../engine/kernels/ema/ema.ts";
import { clipByGlobalNorm } from "../../../engine/kernels/global_norm/global_norm.ts";
import { sumSplits } from "../../../engine/kernels/sum_splits/sum_splits.ts";
import { assertRefuses, shapeOnly, testCases } from "../../gpu.ts";

testCases(arenaCases);

Deno.test("the first bad value is named by its coordinates, padding included", () => {
  const tensor = shapeOnly([2, 3, 3, 5]);
  const at = (index: number) =>
    nonFiniteAt(Uint32Array.of(0, 0, 0, 0, 7, tensor.length - index, 0, 0), 1, tensor);
  assertEquals(at(0), { count: 7, first: [0, 0, 0, 0] });
  assertEquals(at(72 + 24 + 8 + 4), { count: 7, first: [1, 1, 1, 4] });
  assertEquals(at(7), { count: 7, first: [0, 0, 0, 7] });
  assertEquals(nonFiniteAt(new Uint32Array(8), 1, tensor), undefined);
});

Deno.test("check_finite refuses a slot that is not there", () => {
  assertRefuses(
    () => checkFinite(shapeOnly([5]), shapeOnly([2, 4]), 2),
    "Cannot build check_finite",
    "[3,4]",
  );
  assertRefuses(() => checkFinite(shapeOnly([5]), shapeOnly([2, 8]), 0), "Cannot build check_finite");
});

Deno.test("global_norm refuses scratch of another size and a norm that clips everything", () => {
  const gradients = [shapeOnly([5000]), shapeOnly([3])], hyper = shapeOnly([4]);
  const build = (partials: number, maxNorm: number) => () =>
    clipByGlobalNorm(gradients, shapeOnly([partials]), hyper, hyper, { maxNorm });
  assertRefuses(build(5, 1), "Cannot build global_norm", "partials has 5 elements, wanted 6");
  for (const maxNorm of [0, -1, NaN]) assertRefuses(build(6, maxNorm), `norm is ${maxNorm}`, "above 0");
});

for (const decay of [1, -0.1, NaN]) {
  Deno.test(`ema refuses a decay of ${decay}`, () => {
    const build = () => emaUpdate(shapeOnly([5]), shapeOnly([5]), shapeOnly([4]), { decay });
    assertRefuses(build, "Cannot build ema", `${decay}`);
  });
}

Deno.test("sum_splits refuses parts that are no multiple", () => {
  assertRefuses(
    () => sumSplits(shapeOnly([3, 8]), shapeOnly([16])),
    "Cannot build sum_splits",
    "multiple of 16",
  );
});

// A block that ends inside a vector would bring its neighbours' values into its padding.
for (const [first, width] of [[2, 4], [8, 5], [12, 8], [20, 17]] as const) {
  Deno.test(`columns refuses ${width} columns of 18 from ${first} on`, () => {
    const wide = shapeOnly([5, 18]), narrow = shapeOnly([5, width]);
    assertRefuses(
      () => takeColumns(wide, narrow, first),
      "Cannot build columns.take",
      `${first} to ${first + width}`,
    );
    assertRefuses(() => putColumns(narrow, wide, first), "Cannot build columns.put", "of 18");
  });
}
