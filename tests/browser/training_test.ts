/** Training as pages do it, on this machine's own WebGPU. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { type LabelledPhoto, PhotoTraining } from "../../browser/training.ts";
import { UserError } from "../../engine/errors.ts";
import { hash } from "../../engine/random.ts";
import { decodeCheckpoint } from "../../model/checkpoint/encoding.ts";
import { NetworkClassifier } from "../../model/inference/classifier.ts";
import { gpu } from "../gpu.ts";

const classes = ["red", "green", "blue"];

/** Noise in which one channel is brighter. */
function photo(index: number, label = index % 3, side = 40): LabelledPhoto {
  const data = new Uint8Array(side * side * 4).fill(255);
  for (let i = 0; i < data.length; i++) {
    if (i % 4 !== 3) data[i] = (hash(3, 0x7e57, i, index) >>> 25) + (i % 4 === label ? 128 : 0);
  }
  return { width: side, height: side, data, label };
}

const photos = Array.from({ length: 30 }, (_, i) => photo(i));

Deno.test("photos of a page are learnt, and the file answers as the network that was trained", async () => {
  using training = await PhotoTraining.create(gpu, { classes, photos, epochs: 8 });
  const steps: string[] = [];
  const first = (await training.runEpoch({ onStep: (done, of) => steps.push(`${done}/${of}`) }))!;
  assertEquals(steps, ["1/2", "2/2"]);
  assertEquals([first.epoch, first.epochs, first.valid!.n], [1, 8, 6]);
  let last = first;
  while (!training.finished) last = (await training.runEpoch())!;
  assertEquals(last.epoch, 8);
  assert(last.train.loss < first.train.loss / 2, `${first.train.loss} became ${last.train.loss}`);
  assertEquals(last.valid!.accuracy, 1);
  const { card, tensors } = decodeCheckpoint(await training.file());
  assertEquals([card.model, card.classes, card.training?.validationAccuracy], ["compact", classes, 1]);
  const classifier = await NetworkClassifier.create(gpu, { card, tensors });
  const unseen = Array.from({ length: 6 }, (_, i) => photo(100 + i));
  const own = await training.evaluator.classify(unseen), read = await classifier.classify(unseen);
  own.forEach(({ logits }, i) => assertEquals(logits, read[i]!.logits));
  own.forEach(({ logits }, i) => assertEquals(logits.indexOf(Math.max(...logits)), unseen[i]!.label));
  await classifier.close();
});

Deno.test("the same photos and seed train the same weights", async () => {
  const once = async () => {
    using training = await PhotoTraining.create(gpu, { classes, photos, epochs: 2 });
    while (!training.finished) await training.runEpoch();
    return await training.file();
  };
  assertEquals(await once(), await once());
});

Deno.test("training on top of a model keeps its features where that is asked for, and its head where classes are its own", async () => {
  using base = await PhotoTraining.create(gpu, { classes, photos, epochs: 4 });
  while (!base.finished) await base.runEpoch();
  const start = await base.checkpoint();
  using training = await PhotoTraining.create(gpu, {
    ...{
      classes: ["green", "red"],
      photos: photos.filter(({ label }) => label < 2),
      start,
      keepFeatures: true,
      epochs: 2,
    },
  });
  while (!training.finished) await training.runEpoch();
  const { tensors, card } = await training.checkpoint();
  assertEquals([card.classes, card.preprocess], [["green", "red"], start.card.preprocess]);
  for (const [name, { data }] of tensors) {
    if (name.startsWith("features.")) assertEquals(data, start.tensors.get(name)!.data, name);
  }
  using again = await PhotoTraining.create(gpu, { classes, photos, start, epochs: 1 });
  const { valid } = (await again.runEpoch())!;
  assertEquals(valid!.accuracy, 1);
});

Deno.test("training stops between two steps and goes on with the next epoch", async () => {
  using training = await PhotoTraining.create(gpu, { classes, photos, epochs: 2 });
  const stop = new AbortController();
  stop.abort();
  assertEquals(await training.runEpoch({ stop: stop.signal }), undefined);
  assertEquals([training.epoch, training.trainer.step], [0, 1]);
  assertEquals((await training.runEpoch())!.epoch, 1);
});

Deno.test("too few classes or photos are refused by a sentence", async () => {
  const refuse = (options: { classes: string[]; photos: LabelledPhoto[] }, words: string) =>
    assertRejects(() => PhotoTraining.create(gpu, options), UserError, words);
  await refuse({ classes: ["one"], photos }, "Cannot train on 1 class: wanted at least two");
  await refuse({ classes: ["a", "b"], photos: [photo(0)] }, 'the class "b" has no photo');
  await refuse({ classes: ["a", "a"], photos }, 'two classes are called "a"');
});
