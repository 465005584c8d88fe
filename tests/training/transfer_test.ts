import { assert, assertEquals, assertThrows } from "@std/assert";
import { UserError } from "../../engine/errors.ts";
import type { Gpu } from "../../engine/gpu.ts";
import { architecture, type ArchitectureOptions } from "../../model/architectures/registry.ts";
import { CheckpointError, type TensorValue } from "../../model/checkpoint/checkpoint.ts";
import { cardToMetadata } from "../../model/checkpoint/card.ts";
import { Network } from "../../model/network.ts";
import {
  freezeBlocks,
  frozenLines,
  loadWeights,
  transferCard,
  transferLines,
  transferPreprocess,
} from "../../training/run/transfer.ts";
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

Deno.test("a head for the same classes in another order is reordered, one for other classes is not loaded", () =>
  withGpu(async (gpu) => {
    const tensors = await weights(gpu), to = ["a", "b", "c", "d", "e", "f"];
    using network = compact(gpu, { classes: 6 });
    network.parameters.initialise(5);
    const before = await network.parameters.read();
    const head = ["classifier.1.weight", "classifier.1.bias"];
    const other = loadWeights(network, tensors, { from: ["a", "b", "c", "d", "e", "g"], to });
    assertEquals([other.missing, other.reordered], [head, false]);
    assertEquals(other.skipped[0], { name: head[0], reason: "it tells a, b, c, d, e, g apart" });
    const kept = await network.parameters.read();
    for (const name of head) assertEquals(kept.get(name), before.get(name));
    const report = loadWeights(network, tensors, { from: ["f", "b", "c", "d", "e", "a"], to });
    assertEquals([report.missing, report.reordered], [[], true]);
    assertEquals(
      transferLines(report)[1],
      "Reordered the last layer: the weights have the same classes in another order",
    );
    const loaded = await network.parameters.read();
    for (const name of head) {
      const { shape, data } = tensors.get(name)!, width = data.length / shape[0]!;
      const row = (values: Float32Array, k: number) => values.slice(k * width, (k + 1) * width);
      [5, 1, 2, 3, 4, 0].forEach((from, i) => assertEquals(row(loaded.get(name)!, i), row(data, from)));
    }
    assertEquals(loadWeights(network, tensors, { from: to, to }).reordered, false);
    assertEquals(loadWeights(network, tensors, { from: undefined, to }).missing, []);
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

Deno.test("what is frozen is counted, and without weights it is said to be random", () => {
  const parameters = [{ name: "features.0.weight", size: 1200 }, { name: "classifier.1.bias", size: 34 }];
  assertEquals(frozenLines(["features"], parameters, true), [
    "Frozen    features: 1,200 of 1,234 parameters",
  ]);
  assertEquals(frozenLines(["features"], parameters, false), [
    "Frozen    features: 1,200 of 1,234 parameters",
    "Warning   what is frozen is random, since no --weights are given",
  ]);
});

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
    const own = transferPreprocess(transferCard(cardToMetadata(card)), 128);
    assertEquals(own, { ...card.preprocess, height: 128, width: 128 });
    const theirs = transferPreprocess(transferCard({ format: "pt" }), 224);
    assertEquals([theirs.channels, theirs.resize, theirs.mean[0], theirs.std[2]], [
      "RGB",
      "crop",
      0.485,
      0.225,
    ]);
    assertThrows(
      () => transferCard({ model: "compact" }),
      CheckpointError,
      "Cannot use the weights",
    );
  }));
