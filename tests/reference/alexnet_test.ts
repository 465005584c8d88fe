/** PyTorch's numbers for the whole ImageNet network: slow, so it has a file of its own. */
import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { sgd } from "../../engine/kernels/optimizer/optimizer.ts";
import { Plan } from "../../engine/plan.ts";
import { destroyTensor } from "../../engine/tensor.ts";
import { architecture } from "../../model/architectures/registry.ts";
import { Network } from "../../model/network.ts";
import { infer, normalisedError, TestStep, withGpu } from "../model/harness.ts";
import text from "../fixtures/alexnet.json" with { type: "text" };
import { present } from "../permissions.ts";
import { hashed, norm, sum } from "./hashed.ts";

interface Reference {
  target: number[];
  salts: Record<string, number>;
  scales: Record<string, number>;
  losses: number[];
  logits: { data: number[] };
  grads: Record<string, { norm: number; sum: number; index: number[]; value: number[] }>;
}

/** Four steps from the values that the reference names. */
async function compare(expected: Reference): Promise<void> {
  await withGpu(async (gpu) => {
    using network = new Network(gpu, architecture("alexnet", { classes: 1000, dropout: 0 }));
    const { parameters } = network;
    assertEquals(parameters.count, 61_100_840);
    assert(
      parameters.get("classifier.1.weight").tensors.length > 1 ||
        gpu.limits.maxStorageBufferBindingSize > 2 ** 27,
    );
    const input = hashed(2 * 3 * 224 * 224, expected.salts.x!, expected.scales.x!);
    for (const { name, spec } of parameters.all) {
      const size = spec.shape.reduce((a, b) => a * b, 1);
      parameters.write(name, hashed(size, expected.salts[name]!, expected.scales[name]!));
    }
    assert(normalisedError(await infer(network, input), expected.logits.data) < 1e-5);

    using plan = new Plan(gpu, "AlexNet step");
    using step = new TestStep(plan, network, 2);
    const velocities = parameters.zerosLike("velocity");
    parameters.arenas.forEach(({ values: parameter }, i) => {
      const tensors = {
        parameter,
        gradient: step.gradients[i]!,
        velocity: velocities[i]!,
        params: step.params,
      };
      sgd(plan, tensors, { momentum: 0.9, weightDecay: 5e-4 });
    });
    await plan.compile();
    for (const [i, loss] of expected.losses.entries()) {
      step.writeParams({ lr: 1e-3, gradScale: 1, step: i + 1 });
      step.write(input, expected.target, i);
      plan.run();
      if (i > 0) {
        assertAlmostEquals(await step.loss(), loss, 1e-4 * loss);
        continue;
      }
      const first = await step.read();
      assertAlmostEquals(first.loss, loss, 1e-5 * loss);
      assert(normalisedError(first.logits, expected.logits.data) < 1e-5);
      assertEquals([...first.gradients.keys()].sort(), Object.keys(expected.grads).sort());
      for (const [name, gradient] of first.gradients) {
        const wanted = expected.grads[name]!;
        const magnitude = norm(gradient);
        assertAlmostEquals(magnitude, wanted.norm, 1e-5 * wanted.norm, `norm of ${name}`);
        const scale = Math.max(Math.abs(wanted.sum), wanted.norm); // some sums are zero
        assertAlmostEquals(sum(gradient), wanted.sum, 1e-4 * scale, `sum of ${name}`);
        const error = normalisedError(wanted.index.map((at) => gradient[at]!), wanted.value);
        assert(error < 1e-4, `samples of ${name}: normalised error ${error}`);
      }
    }
    velocities.forEach((t) => t && destroyTensor(gpu, t));
  });
}

Deno.test("four steps of torchvision's AlexNet at 1000 classes agree with PyTorch", () =>
  compare(JSON.parse(text)));

const beside = new URL("../../../shared/reference/alexnet.json", import.meta.url);
Deno.test({
  name: "four steps of AlexNet agree with the reference file beside the project, if it is another one",
  ignore: !present(beside) || Deno.readTextFileSync(beside) === text,
  fn: () => compare(JSON.parse(Deno.readTextFileSync(beside))),
});
