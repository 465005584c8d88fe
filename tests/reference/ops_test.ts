/** PyTorch's numbers for every operation: those in the project and, where it is there, the file they came from. */
import { assert, assertThrows } from "@std/assert";
import ops from "../fixtures/ops.json.gz" with { type: "bytes" };
import { assertPassed, gpu } from "../gpu.ts";
import { present, testNeeding } from "../permissions.ts";
import { type Fixture, parseFixtures, unpackJson } from "./fixture.ts";
import { runFixture } from "./run.ts";

const own = parseFixtures(await unpackJson(ops));

for (const fixture of own) {
  Deno.test(`${fixture.op} agrees with PyTorch: ${fixture.name}`, async () => {
    assertPassed(await runFixture(gpu, fixture));
  });
}

Deno.test("the project's copy has all operations of the reference file", () => {
  const counts = Map.groupBy(own, ({ op }) => op);
  assert(own.length === 47 && counts.size === 10, `${own.length} cases of ${[...counts.keys()]}`);
});

const shared = new URL("../../../shared/reference/ops.json", import.meta.url);

testNeeding("read")({
  name: "every case of the reference file beside the project agrees with PyTorch",
  ignore: !present(shared),
  async fn(t) {
    for (const fixture of parseFixtures(JSON.parse(await Deno.readTextFile(shared)))) {
      await t.step(
        `${fixture.op}: ${fixture.name}`,
        async () => assertPassed(await runFixture(gpu, fixture)),
      );
    }
  },
});

Deno.test("a case of an operation nobody knows fails by its name", () => {
  const fixture: Fixture = { op: "gelu", name: "4 values", params: {}, inputs: {}, grads: {} };
  assertThrows(() => runFixture(gpu, fixture), Error, "gelu (4 values)");
});

Deno.test("a case with a parameter nobody reads fails by its name", () => {
  const pool = own.find(({ op }) => op === "max_pool2d")!;
  const odd = { ...pool, params: { ...pool.params, return_indices: true } };
  assertThrows(() => runFixture(gpu, odd), Error, "return_indices");
});
