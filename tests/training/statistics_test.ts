import { assert, assertEquals, assertRejects } from "@std/assert";
import { architecture } from "../../model/architectures/registry.ts";
import { Network } from "../../model/network.ts";
import { Plan } from "../../engine/plan.ts";
import { readTensor } from "../../engine/tensor.ts";
import { PhotoFeed } from "../../model/inference/photo_feed.ts";
import { evaluationPhotos, type PhotoSource } from "../../training/photos/photos.ts";
import { estimateStatistics } from "../../training/step/statistics.ts";
import { someCheckpoint } from "../formats/checkpoints.ts";
import { infer, normalisedError, toNchw, withGpu } from "../model/harness.ts";
import { referenceLogits } from "../model/harness.ts";

const SIZE = 67;

/** Photos of different sizes, colours and labels. */
function photos(count: number): PhotoSource {
  const photo = (index: number) => {
    const width = 70 + index, height = 90 - index;
    const data = new Uint8Array(width * height * 4);
    for (let i = 0; i < data.length; i++) data[i] = (i * (index + 3) ^ i >> 5) & 255;
    return { width, height, data };
  };
  const entries = Array.from({ length: count }, (_, i) => ({ ...photo(i), label: i % 2 }));
  return { entries, pixels: (index) => entries[index]!.data };
}

Deno.test("statistics estimated from one batch are that batch's own", () =>
  withGpu(async (gpu) => {
    const net = architecture("compact-bn", { classes: 2, size: SIZE });
    using network = new Network(gpu, net);
    const { card, tensors } = await someCheckpoint(network);
    const source = photos(6);
    const found = await estimateStatistics(gpu, card, tensors, source);
    assertEquals([...found.keys()].map((name) => name.replace(/.*\./, "")), [
      ...["running_mean", "running_var", "running_mean", "running_var"],
      ...["running_mean", "running_var", "running_mean", "running_var"],
    ]);
    // With them, inference is what training mode computes, but for variances that are unbiased.
    using plan = new Plan(gpu, "photos");
    using feed = new PhotoFeed(gpu, 6, 60_000, card.preprocess);
    const x = network.inputTensor(plan, 6);
    feed.build(plan, x);
    await plan.compile();
    feed.write(evaluationPhotos(source, Uint32Array.of(0, 1, 2, 3, 4, 5), card.preprocess));
    plan.run();
    const input = toNchw(await readTensor(gpu, x), 3, SIZE * SIZE);
    const biased = new Map([...found].map(([name, { data }], i) => {
      const pixels = 6 * [33 ** 2, 7 ** 2, 3 ** 2, 1][i >> 1]!;
      return [name, data.map((v) => name.endsWith("var") ? v * (pixels - 1) / pixels : v)] as const;
    }));
    for (const [name, values] of biased) network.parameters.write(name, values);
    const weights = new Map([...tensors].map(([name, { data }]) => [name, data] as const));
    const expected = referenceLogits(net, weights, input, { seed: 0, step: 0 });
    assert(normalisedError(await infer(network, input), expected) < 1e-4);
  }));

Deno.test("statistics of several batches are their means, a remainder left out, the same every time", () =>
  withGpu(async (gpu) => {
    using network = new Network(gpu, architecture("compact-bn", { classes: 2, size: SIZE }));
    const { card, tensors } = await someCheckpoint(network);
    const progress: string[] = [];
    const options = {
      batch: 3,
      onProgress: (done: number, total: number) => progress.push(`${done}/${total}`),
    };
    const first = await estimateStatistics(gpu, card, tensors, photos(7), options);
    assertEquals(progress, ["1/2", "2/2"]);
    assertEquals(await estimateStatistics(gpu, card, tensors, photos(7), options), first);
    const whole = await estimateStatistics(gpu, card, tensors, photos(7));
    // The first layer sees raw pixels: its mean depends little on how photos are batched.
    const name = "features.1.running_mean";
    assert(normalisedError(first.get(name)!.data, whole.get(name)!.data) < 0.2);
    assertEquals(
      await network.parameters.read(["features.1.running_var"]),
      new Map([
        ["features.1.running_var", tensors.get("features.1.running_var")!.data],
      ]),
    );
  }));

Deno.test("statistics need a photo", () =>
  withGpu(async (gpu) => {
    using network = new Network(gpu, architecture("compact-bn", { classes: 2, size: SIZE }));
    const { card, tensors } = await someCheckpoint(network);
    const run = () => estimateStatistics(gpu, card, tensors, photos(0));
    await assertRejects(run, RangeError, "Cannot estimate statistics: got no photos");
  }));
