/** PyTorch's numbers for the whole ImageNet network: slow, so it has a file of its own. */
import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { existsSync } from "node:fs";
import { sgd } from "../../engine/kernels/optimizer/optimizer.ts";
import { Plan } from "../../engine/plan.ts";
import { destroyTensor } from "../../engine/tensor.ts";
import { architecture } from "../../model/architectures/alexnet.ts";
import { Network } from "../../model/network.ts";
import { infer, normalisedError, TestStep, withGpu } from "../model/harness.ts";

const file = new URL("../../../shared/reference/alexnet.json", import.meta.url);

interface Reference {
  target: number[];
  salts: Record<string, number>;
  scales: Record<string, number>;
  losses: number[];
  logits: { data: number[] };
  grads: Record<string, { norm: number; sum: number; index: number[]; value: number[] }>;
}

/** value[i] = ((i * 2654435761 + salt * 40503) mod 2^32 / 2^32 - 0.5) * 2 * scale */
function hashed(length: number, salt: number, scale: number): Float32Array {
  const values = new Float32Array(length);
  const start = Math.imul(salt, 40503);
  for (let i = 0; i < length; i++) {
    values[i] = (((Math.imul(i, 2654435761) + start) >>> 0) / 2 ** 32 - 0.5) * 2 * scale;
  }
  return values;
}

function sum(values: Float32Array): number {
  let total = 0;
  for (let i = 0; i < values.length; i++) total += values[i]!;
  return total;
}

function norm(values: Float32Array): number {
  let squares = 0;
  for (let i = 0; i < values.length; i++) squares += values[i]! ** 2;
  return Math.sqrt(squares);
}

Deno.test({
  name: "four steps of torchvision's AlexNet at 1000 classes agree with PyTorch",
  ignore: !existsSync(file),
  fn: () =>
    withGpu(async (gpu) => {
      const expected: Reference = JSON.parse(Deno.readTextFileSync(file));
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
    }),
});
