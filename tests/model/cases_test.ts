import { assert } from "@std/assert";
import { Network } from "../../model/network.ts";
import { NETWORK_PROBLEMS, networkCases, networkProblem } from "../../model/cases.ts";
import { referenceStep } from "../../model/reference_network.ts";
import { gpu, testCases } from "../gpu.ts";

testCases(networkCases);

for (const problem of NETWORK_PROBLEMS) {
  Deno.test(`the input for ${problem.model} keeps clear of every kink, so that float32 decides like float64`, async () => {
    const { network, batch } = networkProblem(problem);
    using built = new Network(gpu, network);
    built.parameters.initialise(problem.seed);
    const parameters = new Map<string, ArrayLike<number>>(await built.parameters.read());
    const { margin } = referenceStep(network, parameters, batch.images, batch.labels, {
      seed: problem.seed,
      step: 1,
    });
    assert(margin > 4e-6, `a ReLU or a pooling decides by ${margin}`);
  });
}

Deno.test("the reference network's gradients are the slopes of its loss", async () => {
  const { network, batch: { images, labels } } = networkProblem({
    model: "compact-bn",
    size: 61,
    rows: 3,
    seed: 1,
  });
  const training = { seed: 1, step: 1 };
  using built = new Network(gpu, network);
  built.parameters.initialise(2);
  const parameters = new Map<string, ArrayLike<number>>(await built.parameters.read());
  const { gradients } = referenceStep(network, parameters, images, labels, training);
  const step = 1e-6;
  for (const [name, gradient] of gradients) {
    const along = Math.sqrt(gradient.reduce((sum, g) => sum + g * g, 0));
    // A bias before a batch normalisation changes nothing.
    if (along < 1e-9) continue;
    const lossAt = (sign: number) => {
      const moved = Float64Array.from(
        parameters.get(name)!,
        (v, i) => v + sign * step * gradient[i]! / along,
      );
      return referenceStep(network, new Map([...parameters, [name, moved]]), images, labels, training).loss;
    };
    const slope = (lossAt(1) - lossAt(-1)) / (2 * step);
    assert(Math.abs(slope / along - 1) < 1e-5, `${name}: gradient ${along}, slope ${slope}`);
  }
});
