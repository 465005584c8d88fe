import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { exportOnnx } from "../../formats/onnx.ts";
import { architecture } from "../../model/architectures/alexnet.ts";
import { Network } from "../../model/network.ts";
import { someCheckpoint } from "../formats/checkpoints.ts";
import { infer, noise, normalisedError, withGpu } from "../model/harness.ts";

/** onnxruntime's CPU build, where it is at hand. */
const ort = await import("onnxruntime-node").catch(() => undefined);

// Sizes whose pooled map is smaller, equal, a multiple of, and larger than alexnet's 6x6 average.
const CASES: [string, number][] = [
  ["compact", 224],
  ["compact-bn", 131],
  ["alexnet", 63],
  ["alexnet", 224],
  ["alexnet", 290],
  ["alexnet", 430],
  ["alexnet-2012", 227],
];

for (const [model, size] of CASES) {
  Deno.test({
    name: `the exported ${model} at ${size}x${size} gives our logits in onnxruntime`,
    ignore: !ort,
    fn: () =>
      withGpu(async (gpu) => {
        using network = new Network(gpu, architecture(model, { classes: 5, size }));
        const session = await ort!.InferenceSession.create(exportOnnx(await someCheckpoint(network)));
        assertEquals([...session.inputNames], ["input"]);
        assertEquals([...session.outputNames], ["logits", "probabilities"]);
        for (const batch of [1, 2]) {
          const input = noise(batch * 3 * size * size, batch);
          const feeds = { input: new ort!.Tensor("float32", input, [batch, 3, size, size]) };
          const { logits, probabilities } = await session.run(feeds);
          assertEquals(logits!.dims, [batch, 5]);
          const theirs = logits!.data as Float32Array;
          const error = normalisedError(await infer(network, input), theirs);
          assert(error < 1e-5, `normalised error ${error}`);
          const row = [...(probabilities!.data as Float32Array)].slice(0, 5);
          assertAlmostEquals(row.reduce((a, b) => a + b), 1, 1e-6);
          assertAlmostEquals(Math.log(row[0]! / row[1]!), theirs[0]! - theirs[1]!, 1e-4);
        }
        await session.release();
      }),
  });
}
