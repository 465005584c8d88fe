import { assert, assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import { DataError } from "../../data/dataset/listing.ts";
import { createOptimizer } from "../../training/step/optimizer.ts";
import { type BenchChoice, keepsCase, unitsOf } from "../../bench/run.ts";
import { measureHost, measurePhotos } from "../../bench/steps/photos.ts";
import {
  LEARNING_RATE,
  measureInference,
  measureTraining,
  networkOf,
  ratioOf,
  type Runner,
  stepsPerRound,
  syntheticBatch,
  SyntheticTraining,
  timeRounds,
} from "../../bench/steps/steps.ts";
import { gpu } from "../gpu.ts";
import { present, testNeeding } from "../permissions.ts";

const SUBJECT = { model: "compact", batch: 2, size: 61, classes: 3 };
const ROUNDS = { rounds: 2, milliseconds: 1 };

Deno.test("a round has as many steps as fill it, at least one and not too many", () => {
  assertEquals(
    [[100, 1000], [2000, 1000], [0.1, 1000], [0, 1000]].map(([one, ms]) => stepsPerRound(one!, ms!)),
    [
      10,
      1,
      1000,
      1000,
    ],
  );
  assertEquals(stepsPerRound(1, 1000, 32), 32);
});

Deno.test("runners take turns, and what they did first is dropped", async () => {
  const seen: string[] = [];
  const named = (name: string): Runner => (steps) => {
    seen.push(`${name}${steps}`);
    return Promise.resolve();
  };
  const [a, b] = await timeRounds([named("a"), named("b")], { rounds: 3, milliseconds: 1, most: 4 });
  assertEquals(seen.slice(0, 4), ["a1", "a1", "b1", "b1"]);
  assertEquals(seen.slice(4).map((s) => s[0]).join(""), "ababab");
  assertEquals([a!.milliseconds.length, b!.milliseconds.length], [3, 3]);
});

Deno.test("the ratio is the median over rounds, not that of the medians", () => {
  const timed = (milliseconds: number[]) => ({ milliseconds, median: 0, steps: 1 });
  assertEquals(ratioOf(timed([2, 40, 6]), timed([1, 10, 3])), 2);
});

const ALL: BenchChoice = {
  models: ["compact"],
  batch: undefined,
  size: undefined,
  quick: false,
  only: undefined,
  data: undefined,
};

Deno.test("a run has the units that its flags ask for", () => {
  assertEquals(unitsOf(ALL).map(({ name }) => name), [
    "product 1024^3",
    "kernels compact batch 32",
    "kernels compact-bn batch 32",
    "training compact batch 32",
    "inference compact batch 1",
    "inference compact batch 8",
    "inference compact batch 32",
    "inference compact batch 128",
    "host compact batch 32",
  ]);
  const photos = unitsOf({ ...ALL, data: "photos", batch: 4, models: ["alexnet"] }).at(-1)!;
  assertEquals([photos.name, photos.kind], ["photos alexnet batch 4", "photos"]);
  assertEquals(unitsOf({ ...ALL, only: "training" }).map(({ kind }) => kind), [
    "kernels",
    "kernels",
    "training",
  ]);
  const only = { ...ALL, only: "max_pool" }, [, kernels, variant] = unitsOf(ALL);
  assert(keepsCase(only, kernels!, "features.2 max_pool 1x2x3x4"));
  assert(!keepsCase(only, kernels!, "features.0 conv2d 1x2x3x4"));
  assert(keepsCase(ALL, variant!, "features.1 batch_norm 1x2x3x4"));
  assert(!keepsCase(ALL, variant!, "features.0 conv2d 1x2x3x4"), "only what the model itself lacks");
});

Deno.test("training on a batch that stays on the device learns it, and stands still at rate 0", async () => {
  using network = networkOf(gpu, SUBJECT);
  using optimizer = createOptimizer(network.parameters, { optimizer: "sgd", momentum: 0 });
  using step = await SyntheticTraining.create(network, optimizer, syntheticBatch(SUBJECT));
  const losses: number[] = [];
  for (let i = 0; i < 12; i++) {
    step.run(10 * LEARNING_RATE);
    losses.push(await step.loss());
  }
  assert(losses.every(Number.isFinite) && losses.at(-1)! < losses[0]! / 2, losses.join(" "));
  step.run(0);
  const before = await step.loss();
  step.run(0);
  step.run(0);
  assertAlmostEquals(await step.loss(), before, 1e-6);
});

Deno.test("training, inference and host rows are whole, positive numbers", async () => {
  const training = await measureTraining(gpu, SUBJECT, ROUNDS);
  assert(training.milliseconds > 0 && training.gigaflops > 0 && training.residentBytes > 1e6);
  assertAlmostEquals(training.imagesPerSecond, 2000 / training.milliseconds, 1e-6);
  assert(training.deviceBytes > 3 * 4 * 111_267 * 0.5, "parameters, gradients and velocities at least");
  const before = gpu.bytes;
  const inference = await measureInference(gpu, SUBJECT, ROUNDS);
  assert(inference.milliseconds > 0 && inference.imagesPerSecond > 0);
  const host = await measureHost(gpu, SUBJECT, ROUNDS);
  assert(host.call > 0 && host.upload > 0 && host.rest <= host.call && Number.isFinite(host.beyond));
  assert(host.launches > 20);
  assertEquals(gpu.bytes, before, "everything is freed");
});

const test = testNeeding("all");
const ANIMALS = new URL("../../../shared/animals", import.meta.url).pathname;

test({
  name: "photos of a folder are trained on beside the batch on the device",
  ignore: !present(ANIMALS),
  async fn() {
    const row = await measurePhotos(gpu, ANIMALS, SUBJECT, ROUNDS, () => {});
    assert(row.photos > 100 && row.classes === 3);
    assert(row.share > 0 && row.imagesPerSecond > 0 && row.syntheticImagesPerSecond > 0);
    assert(["device", "cache", "memory"].includes(row.kept));
  },
});

test("a folder without photos is one clear error", async () => {
  const empty = await Deno.makeTempDir();
  await assertRejects(() => measurePhotos(gpu, empty, SUBJECT, ROUNDS, () => {}), DataError);
  await Deno.remove(empty);
});
