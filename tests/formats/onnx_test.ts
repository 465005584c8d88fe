import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { exportOnnx } from "../../formats/onnx.ts";
import { architecture } from "../../model/architectures/alexnet.ts";
import { defaultPreprocess } from "../../model/checkpoint/card.ts";
import { cardFromMetadata, type Checkpoint, CheckpointError } from "../../model/checkpoint/checkpoint.ts";
import { Network } from "../../model/network.ts";
import { infer, noise, normalisedError, withGpu } from "../model/harness.ts";
import { someCheckpoint } from "./checkpoints.ts";
import { decode } from "./wire.ts";

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

Deno.test("the metadata holds the card and says how to prepare a photo", () =>
  withGpu(async (gpu) => {
    using network = new Network(gpu, architecture("compact", { classes: 2, size: 67 }));
    const checkpoint = await someCheckpoint(network);
    const model = decode(exportOnnx(checkpoint));
    const read = new TextDecoder();
    const entries = model.get(14)!.map((entry) => {
      const fields = decode(entry as Uint8Array);
      return [1, 2].map((n) => read.decode(fields.get(n)![0] as Uint8Array)) as [string, string];
    });
    const { card, extras } = cardFromMetadata(Object.fromEntries(entries));
    assertEquals(card, checkpoint.card);
    assert(
      /stretch .* 67x67 .* channels BGR; divide by 255/.test(extras.preprocessing!),
      extras.preprocessing,
    );
    assertEquals(decode(model.get(8)![0] as Uint8Array).get(2), [17]);
  }));

Deno.test("a checkpoint that does not fit its architecture is not exported", () =>
  withGpu(async (gpu) => {
    using network = new Network(gpu, architecture("compact", { classes: 2, size: 67 }));
    const good = await someCheckpoint(network);
    const refused = (
      change: Partial<Checkpoint>,
      type: typeof Error | typeof CheckpointError,
      words: string,
    ) => assertThrows(() => exportOnnx({ ...good, ...change }), type, words);
    const { card, tensors } = good;
    const without = new Map([...tensors].filter(([name]) => name !== "features.5.bias"));
    refused(
      { tensors: without },
      CheckpointError,
      "Cannot export compact: features.5.bias is missing, wanted [64]",
    );
    const three = { ...card, classes: ["a", "b", "c"] };
    refused({ card: three }, CheckpointError, "classifier.1.weight has shape [2,128], wanted [3,128]");
    refused({ card: { ...card, model: "vgg" } }, RangeError, "Cannot find model vgg");
    const oblong = { ...card, preprocess: { ...card.preprocess, width: 80 } };
    refused({ card: oblong }, CheckpointError, "its input is 67x80, wanted a square");
    const tiny = { ...card, preprocess: defaultPreprocess(9) };
    refused({ card: tiny }, RangeError, "Cannot build compact: its input is 9x9, wanted at least 61x61");
  }));
