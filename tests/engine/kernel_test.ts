import { assert, assertEquals, assertThrows } from "@std/assert";
import { elementwise, ELEMENTWISE_GROUP, MAX_GROUPS } from "../../engine/kernel.ts";
import { reluForward } from "../../engine/kernels/relu/relu.ts";
import { Plan } from "../../engine/plan.ts";
import { readTensor, type Tensor, writeTensor } from "../../engine/tensor.ts";
import { gpu } from "../gpu.ts";

Deno.test("an element-wise grid covers every vector and stays within WebGPU's limit", () => {
  for (const count of [1, 63, 64, 65, 1000, MAX_GROUPS * 64, MAX_GROUPS * 64 + 1, 2 ** 28]) {
    const { grid: [x, y, z], constants } = elementwise(count);
    assert(x * y * z * ELEMENTWISE_GROUP >= count, `${count}: ${x} x ${y}`);
    assert(x <= MAX_GROUPS && y <= MAX_GROUPS && z === 1);
    // At most one row of workgroups may find nothing to do.
    assert((x * y - x) * ELEMENTWISE_GROUP < count || y === 1);
    assertEquals(constants, { SIZE: count, GROUP: ELEMENTWISE_GROUP });
  }
});

Deno.test("a kernel reaches the last element where one row of workgroups is not enough", async () => {
  const elements = MAX_GROUPS * ELEMENTWISE_GROUP * 4 + 40;
  using plan = new Plan(gpu, "large");
  const x = plan.tensor([elements], "x"), y = plan.tensor([elements], "y");
  const launch = reluForward(x, y);
  assertEquals(launch.grid[1], 2);
  plan.add(launch);
  await plan.compile();
  const tail = (tensor: Tensor): Tensor => ({
    ...tensor,
    shape: [64],
    size: 64,
    pitch: 64,
    length: 64,
    offset: (elements - 64) * 4,
  });
  const values = Float32Array.from({ length: 64 }, (_, i) => i - 20);
  writeTensor(gpu, tail(x), values);
  plan.run();
  assertEquals(await readTensor(gpu, tail(y)), values.map((v) => Math.max(v, 0)));
});

for (const grid of [[0, 1, 1], [1, MAX_GROUPS + 1, 1], [1, 1, 1.5], [1, NaN, 1]] as const) {
  Deno.test(`a grid of [${grid}] is refused with the launch's name`, () => {
    using plan = new Plan(gpu, "grids");
    const x = plan.tensor([4]), y = plan.tensor([4]);
    assertThrows(
      () => gpu.kernels.bind({ ...reluForward(x, y), grid }),
      RangeError,
      "Cannot launch relu.forward",
    );
  });
}

Deno.test("a pipeline is compiled once for the same source, entry and constants", () => {
  using plan = new Plan(gpu, "cache");
  const x = plan.tensor([99 * 4]), y = plan.tensor([99 * 4]), z = plan.tensor([98 * 4]);
  const first = gpu.kernels.bind(reluForward(x, y));
  const size = gpu.kernels.size;
  assertEquals(gpu.kernels.bind(reluForward(y, x)).pipeline, first.pipeline);
  assertEquals(gpu.kernels.size, size);
  gpu.kernels.bind(reluForward(z, plan.tensor([98 * 4])));
  assertEquals(gpu.kernels.size, size + 1);
});
