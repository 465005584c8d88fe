import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { exportOnnx } from "../../formats/onnx.ts";
import type { Layer } from "../../model/layer.ts";
import { architecture } from "../../model/architectures/registry.ts";
import { adaptiveAvgPool } from "../../model/layers/adaptive_avg_pool.ts";
import { conv2d } from "../../model/layers/conv2d.ts";
import { flatten } from "../../model/layers/flatten.ts";
import { linear } from "../../model/layers/linear.ts";
import { localResponseNorm } from "../../model/layers/local_response_norm.ts";
import { maxPool } from "../../model/layers/max_pool.ts";
import { relu } from "../../model/layers/relu.ts";
import { type Architecture, Network } from "../../model/network.ts";
import { someCheckpoint } from "../formats/checkpoints.ts";
import { infer, noise, normalisedError, withGpu } from "../model/harness.ts";

/** onnxruntime's CPU build, where it is at hand. */
const ort = await import("onnxruntime-node").catch(() => undefined);

// Sizes whose pooled map is smaller, equal, a multiple of, and larger than alexnet's 6x6 average.
const CASES: [string, number][] = [
  ["compact", 224],
  ["compact-bn", 131],
  ["compact-res", 75],
  ["resnet18", 64],
  ["alexnet", 63],
  ["alexnet", 224],
  ["alexnet", 290],
  ["alexnet", 430],
  ["alexnet-2012", 227],
];

/** What no architecture has: unequal padding, oblong windows, dilation, groups, no bias, sizes rounded up. */
const ODD: readonly Layer[] = [
  conv2d({ in: 3, out: 6, kernel: [3, 2], stride: [2, 1], padding: [0, 1, 2, 0], bias: false }),
  relu(),
  maxPool({ kernel: [2, 3], stride: 2, padding: [1, 0], ceilMode: true }),
  conv2d({ in: 6, out: 9, kernel: 3, padding: 2, dilation: 2, groups: 3 }),
  localResponseNorm({ size: 3, alpha: 0.5 }),
  maxPool({ kernel: 2, stride: 1, dilation: 2 }),
  adaptiveAvgPool({ size: 2 }),
  flatten(),
  linear({ in: 36, out: 5, bias: false }),
];
const odd = (size: number): Architecture => ({
  name: "odd",
  input: { c: 3, h: size, w: size },
  layers: ODD.map((layer, i) => ({ name: `${i}`, layer })),
});

for (const [model, size] of [...CASES, ["odd", 31] as const]) {
  const network = model === "odd" ? odd(size) : architecture(model, { classes: 5, size });
  Deno.test({
    name: `the exported ${model} at ${size}x${size} gives our logits in onnxruntime`,
    ignore: !ort,
    fn: () =>
      withGpu(async (gpu) => {
        using built = new Network(gpu, network);
        const bytes = exportOnnx(await someCheckpoint(built), () => network);
        const session = await ort!.InferenceSession.create(bytes);
        assertEquals([...session.inputNames], ["input"]);
        assertEquals([...session.outputNames], ["logits", "probabilities"]);
        for (const batch of [1, 2]) {
          const input = noise(batch * 3 * size * size, batch);
          const feeds = { input: new ort!.Tensor("float32", input, [batch, 3, size, size]) };
          const { logits, probabilities } = await session.run(feeds);
          assertEquals(logits!.dims, [batch, 5]);
          const theirs = logits!.data as Float32Array;
          const error = normalisedError(await infer(built, input), theirs);
          assert(error < 1e-5, `normalised error ${error}`);
          const row = [...(probabilities!.data as Float32Array)].slice(0, 5);
          assertAlmostEquals(row.reduce((a, b) => a + b), 1, 1e-6);
          // Of the two likeliest classes: others may have a probability of 0 in float32.
          const [i, k] = row.map((_, at) => at).sort((a, b) => row[b]! - row[a]!) as [number, number];
          if (row[k]! > 0) assertAlmostEquals(Math.log(row[i]! / row[k]!), theirs[i]! - theirs[k]!, 1e-4);
          else assert(theirs[i]! - theirs[k]! > 80, `${theirs}`);
        }
        await session.release();
      }),
  });
}
