import { assert, assertEquals, assertThrows } from "@std/assert";
import { UserError } from "../../engine/errors.ts";
import type { Gpu } from "../../engine/gpu.ts";
import { architecture, type ArchitectureOptions } from "../../model/architectures/registry.ts";
import { CheckpointError, type TensorValue } from "../../model/checkpoint/checkpoint.ts";
import { cardToMetadata } from "../../model/checkpoint/card.ts";
import { Network } from "../../model/network.ts";
import { freezeBlocks, loadWeights, transferLines, transferPreprocess } from "../../training/transfer.ts";
import { someCheckpoint } from "../formats/checkpoints.ts";
import { noise, trainingStep, withGpu } from "../model/harness.ts";

function compact(gpu: Gpu, options: ArchitectureOptions, name = "compact"): Network {
  return new Network(gpu, architecture(name, { size: 67, ...options }));
}

/** Weights of a network with six classes. */
async function weights(gpu: Gpu): Promise<Map<string, TensorValue>> {
  using network = compact(gpu, { classes: 6 });
  return new Map((await someCheckpoint(network)).tensors);
}

Deno.test("weights for other classes are loaded but for the head, which keeps its first values", () =>
  withGpu(async (gpu) => {
    const tensors = await weights(gpu);
    using network = compact(gpu, { classes: 3 });
    network.parameters.initialise(5);
    const before = await network.parameters.read();
    const report = loadWeights(network, tensors);
    const head = ["classifier.1.weight", "classifier.1.bias"];
    assertEquals(report.loaded.length, 8);
    assertEquals(report.missing, head);
    assertEquals(report.skipped.map((s) => s.name), head);
    assertEquals(report.skipped.map((s) => s.reason), [
      "it is [6,128], wanted [3,128]",
      "it is [6], wanted [3]",
    ]);
    for (const [name, values] of await network.parameters.read()) {
      assertEquals(values, head.includes(name) ? before.get(name) : tensors.get(name)!.data, name);
    }
    const lines = transferLines(report);
    assert(lines[0]!.startsWith("Loaded 8 tensors: features.0.weight, "), lines[0]);
    assertEquals(lines.at(-1), "Initialised anew: classifier.1.weight, classifier.1.bias");
  }));

Deno.test("weights that all fit leave nothing to say", () =>
  withGpu(async (gpu) => {
    const tensors = await weights(gpu);
    using network = compact(gpu, { classes: 6 });
    const report = loadWeights(network, tensors);
    assertEquals([report.loaded.length, report.skipped, report.missing], [10, [], []]);
    assertEquals(transferLines(report).length, 1);
  }));

Deno.test("half a layer is not loaded, and foreign tensors are named", () =>
  withGpu(async (gpu) => {
    const tensors = await weights(gpu);
    tensors.delete("features.3.bias");
    tensors.set("fc.weight", { shape: [2], data: new Float32Array(2) });
    using network = compact(gpu, { classes: 6 });
    const report = loadWeights(network, tensors);
    assertEquals(report.missing, ["features.3.weight", "features.3.bias"]);
    assertEquals(report.skipped, [
      { name: "features.3.weight", reason: "its layer's bias is missing" },
      { name: "fc.weight", reason: "compact has none of that name" },
    ]);
  }));

Deno.test("weights of which nothing fits, or that are not finite, change nothing", () =>
  withGpu(async (gpu) => {
    using network = compact(gpu, { classes: 6 });
    network.parameters.initialise(5);
    const before = await network.parameters.read();
    const load = (tensors: Map<string, TensorValue>) => () => loadWeights(network, tensors);
    const words = "Cannot start compact from these weights: none of 1 tensor fits (the first is a [1])";
    assertThrows(load(new Map([["a", { shape: [1], data: new Float32Array(1) }]])), CheckpointError, words);
    assertThrows(load(new Map()), CheckpointError, "none of 0 tensors fits");
    const tensors = await weights(gpu);
    tensors.get("features.7.bias")!.data[3] = NaN;
    assertThrows(load(tensors), CheckpointError, "Cannot load features.7.bias: its value 3 is NaN");
    assertEquals(await network.parameters.read(), before);
  }));

Deno.test("frozen features stay as they are while the rest learns", () =>
  withGpu(async (gpu) => {
    const names = ["features.0.weight", "features.0.bias", "classifier.1.weight"];
    const frozen = freezeBlocks(["features"], names);
    assertEquals(names.map(frozen), [true, true, false]);
    using network = new Network(gpu, architecture("compact-bn", { classes: 3, size: 67 }), { frozen });
    network.parameters.initialise(1);
    const before = await network.parameters.read();
    const { gradients } = await trainingStep(network, noise(2 * 3 * 67 * 67), [0, 1]);
    assertEquals([...gradients.keys()], ["classifier.1.weight", "classifier.1.bias"]);
    assertEquals(await network.parameters.read(), before); // running statistics too
  }));

Deno.test("a block is frozen by its name or a layer's, never by half a name", () => {
  const names = ["features.1.weight", "features.10.weight", "classifier.1.bias"];
  assertEquals(names.map(freezeBlocks(["features.1"], names)), [true, false, false]);
  assertEquals(names.map(freezeBlocks(["features.10", "classifier.1.bias"], names)), [false, true, true]);
  const refused = (blocks: string[], words: string) =>
    assertThrows(() => freezeBlocks(blocks, names), UserError, words);
  refused(["feature"], "Cannot freeze feature: the network has no such block, it has features, classifier");
  refused([""], "no such block");
  refused(["features", "classifier"], "Cannot freeze features, classifier: nothing is left to train");
});

Deno.test("photos are prepared as the weights' own file says, else as torchvision's", () =>
  withGpu(async (gpu) => {
    using network = compact(gpu, { classes: 2 });
    const { card } = await someCheckpoint(network);
    const own = transferPreprocess(cardToMetadata(card), 128);
    assertEquals(own, { ...card.preprocess, height: 128, width: 128 });
    const theirs = transferPreprocess({ format: "pt" }, 224);
    assertEquals([theirs.channels, theirs.resize, theirs.mean[0], theirs.std[2]], [
      "RGB",
      "crop",
      0.485,
      0.225,
    ]);
    assertThrows(
      () => transferPreprocess({ model: "compact" }, 224),
      CheckpointError,
      "Cannot use the weights",
    );
  }));
