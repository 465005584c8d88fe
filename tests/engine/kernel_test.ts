import { assert, assertEquals, assertThrows } from "@std/assert";
import { MAX_GROUPS } from "../../engine/kernel.ts";
import { elementwise, GROUP } from "../../engine/kernels/prelude/prelude.ts";
import { forward } from "../../engine/kernels/relu/relu.ts";
import { Plan } from "../../engine/plan.ts";
import { readTensor, Tensor, writeTensor } from "../../engine/tensor.ts";
import { gpu } from "../gpu.ts";

Deno.test("an element-wise grid covers every vector and stays within WebGPU's limit", () => {
  for (const count of [1, 63, 64, 65, 1000, MAX_GROUPS * 64, MAX_GROUPS * 64 + 1, 2 ** 28]) {
    const { grid: [x, y, z], constants } = elementwise(count);
    assert(x * y * z * GROUP >= count, `${count}: ${x} x ${y}`);
    assert(x <= MAX_GROUPS && y <= MAX_GROUPS && z === 1);
    // At most one row of workgroups may find nothing to do.
    assert((x * y - x) * GROUP < count || y === 1);
    assertEquals(constants, { SIZE: count, GROUP });
  }
});

Deno.test("a kernel reaches the last element where one row of workgroups is not enough", async () => {
  const elements = MAX_GROUPS * GROUP * 4 + 40;
  using plan = new Plan(gpu, "large");
  const x = plan.tensor([elements], "x"), y = forward(plan, { x });
  assertEquals(plan.launches[0]!.grid[1], 2);
  await plan.compile();
  const tail = ({ buffer }: Tensor) => new Tensor("tail", [64], "f32", buffer, (elements - 64) * 4);
  const values = Float32Array.from({ length: 64 }, (_, i) => i - 20);
  writeTensor(gpu, tail(x), values);
  plan.run();
  assertEquals(await readTensor(gpu, tail(y)), values.map((v) => Math.max(v, 0)));
});

for (const grid of [[0, 1, 1], [1, MAX_GROUPS + 1, 1], [1, 1, 1.5], [1, NaN, 1]] as const) {
  Deno.test(`a grid of [${grid}] is refused with the launch's name`, () => {
    using plan = new Plan(gpu, "grids");
    forward(plan, { x: plan.tensor([4]) });
    assertThrows(
      () => gpu.kernels.bind({ ...plan.launches[0]!, grid }),
      RangeError,
      "Cannot launch relu.forward",
    );
  });
}

Deno.test("a pipeline is compiled once for the same source, entry and constants", () => {
  using plan = new Plan(gpu, "cache");
  for (const size of [99 * 4, 99 * 4, 98 * 4]) forward(plan, { x: plan.tensor([size]) });
  const [first, same, other] = plan.launches;
  const { pipeline } = gpu.kernels.bind(first!);
  const { size } = gpu.kernels;
  assertEquals(gpu.kernels.bind(same!).pipeline, pipeline);
  assertEquals(gpu.kernels.size, size);
  gpu.kernels.bind(other!);
  assertEquals(gpu.kernels.size, size + 1);
});
