import { assertEquals, assertThrows } from "@std/assert";
import { readTensor, writeTensor } from "../../engine/tensor.ts";
import { UserError } from "../../engine/errors.ts";
import { Plan } from "../../engine/plan.ts";
import { architecture } from "../../model/architectures/registry.ts";
import { Network } from "../../model/network.ts";
import { networkOfSize, requireStages, sizeOfEpoch } from "../../training/run/stages.ts";
import { withGpu } from "../model/harness.ts";

Deno.test("the first share of the epochs has the starting size", () => {
  const sizes = (given: Partial<Parameters<typeof sizeOfEpoch>[0]>) =>
    [0, 1, 2, 3, 4].map((epoch) =>
      sizeOfEpoch({ size: 128, startShare: 0.6, startSize: undefined, ...given }, epoch, 5)
    );
  assertEquals(sizes({}), [128, 128, 128, 128, 128]);
  assertEquals(sizes({ startSize: 96 }), [96, 96, 96, 128, 128]);
  assertEquals(sizes({ startSize: 96, startShare: 0 }), [128, 128, 128, 128, 128]);
  assertEquals(sizes({ startSize: 96, startShare: 1 }), [96, 96, 96, 96, 96]);
});

Deno.test("a network for other inputs has the same weights, and leaves them to their owner", () =>
  withGpu(async (gpu) => {
    using large = new Network(gpu, architecture("compact-res", { classes: 3, size: 64 }));
    large.parameters.initialise(1);
    {
      using small = networkOfSize(large, 32);
      assertEquals([small.parameters === large.parameters, small.architecture.input.h], [true, 32]);
      assertEquals(networkOfSize(large, 64) === large, true);
      using plan = new Plan(gpu, "small");
      const x = small.inputTensor(plan, 1), { logits } = small.buildForward(plan, x);
      writeTensor(gpu, x, new Float32Array(x.size).fill(0.5));
      await plan.compile();
      plan.run();
      assertEquals((await readTensor(gpu, logits)).every(Number.isFinite), true);
    }
    // Freed with the small one, they could not be read.
    assertEquals((await large.parameters.read()).get("fc.weight")!.some((w) => w !== 0), true);
  }));

Deno.test("a model whose weights depend on the input's size is refused another one", () =>
  withGpu((gpu) => {
    const stages = (model: string) => () =>
      requireStages(gpu, { model, size: 128, startSize: 96, startShare: 0.5 });
    stages("compact-res")();
    assertThrows(
      stages("compact"),
      UserError,
      "Cannot use one set of weights for compact at 128x128 and compact at 96x96: classifier.1.weight is [2,",
    );
    requireStages(gpu, { model: "compact", size: 128, startSize: undefined, startShare: 0.5 });
    return Promise.resolve();
  }));
