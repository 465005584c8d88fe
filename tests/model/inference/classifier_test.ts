import { assert, assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import { mirrored } from "../../../data/augment.ts";
import { UserError } from "../../../engine/errors.ts";
import { createClassifier } from "../../../model/inference/load.ts";
import { evaluate } from "../../../training/evaluation/evaluate.ts";
import { gpu } from "../../gpu.ts";
import { checkpointOf, SIZE } from "./small_checkpoint.ts";

const photo = { width: 80, height: 70, data: new Uint8Array(80 * 70 * 4).map((_, i) => i * i) };
const input = new Float32Array(3 * SIZE * SIZE).map((_, i) => Math.sin(i));

Deno.test("a classifier that is loaded in steps, while another one answers, disturbs it in nothing and is the same", async () => {
  const old = await createClassifier(checkpointOf(3, 1), { gpu, maxBatch: 4 });
  const [expected] = await old.classify([photo]);
  const expectedLogits = await old.infer(input, 1);
  let pauses = 0;
  const pause = async () => {
    if (pauses++ % 3 > 0) return;
    assertEquals((await old.classify([photo]))[0]!.logits, expected!.logits);
    assertEquals(await old.infer(input, 1), expectedLogits);
  };
  const whole = await createClassifier(checkpointOf(9000, 2), { gpu, maxBatch: 4 });
  const stepped = await createClassifier(checkpointOf(9000, 2), { gpu, maxBatch: 4, pause });
  assert(pauses > 1, "large weights are uploaded in several steps");
  const uploads = pauses;
  await stepped.warm([4, 1], pause);
  assert(pauses - uploads > 20, `${pauses - uploads} pauses between the launches`);
  assertEquals(await stepped.infer(input, 1), await whole.infer(input, 1));
  assertEquals((await stepped.classify([photo, photo]))[1], (await whole.classify([photo, photo]))[1]);
  for (const classifier of [old, whole, stepped]) await classifier.close();
});

Deno.test("a checkpoint that does not fit leaves nothing on the device that it was to be loaded on", async () => {
  const before = gpu.bytes;
  const { card, tensors } = checkpointOf(3, 1);
  tensors.delete("features.0.bias");
  await assertRejects(
    () => createClassifier({ card, tensors }, { gpu }),
    UserError,
    "features.0.bias is missing",
  );
  assertEquals(gpu.bytes, before);
});

Deno.test("an evaluation's last batch is computed by the kernels of the others", async () => {
  const classifier = await createClassifier(checkpointOf(3, 1), { gpu, maxBatch: 7 });
  const { width, height, data } = photo;
  const entries = Array.from({ length: 9 }, (_, i) => ({ width, height, label: i % 3 }));
  const pixels = (index: number) => (target: Uint8Array) => target.set(data.map((value) => value + index));
  const before = gpu.kernels.compiled.length;
  const result = await evaluate(classifier, { entries, pixels });
  const batches = gpu.kernels.compiled.slice(before).flatMap(({ constants }) => constants["N"] ?? []);
  assertEquals(new Set(batches), new Set([7]));
  assertEquals(result.n, 9);
  await classifier.close();
});

Deno.test("with test-time augmentation the answer is the mean of the photo's logits and its mirror image's", async () => {
  const classifier = await createClassifier(checkpointOf(3, 1), { gpu, maxBatch: 4 });
  const { width, height, data } = photo;
  const flipped = new Uint8Array(data.length);
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      const from = (row * width + column) * 4, to = (row * width + width - 1 - column) * 4;
      flipped.set(data.subarray(from, from + 4), to);
    }
  }
  const [plain, mirror] = await classifier.classify([photo, { ...photo, data: flipped }]);
  const [both] = await classifier.classify([photo], { tta: true });
  assert(
    plain!.logits.some((value, k) => Math.abs(value - mirror!.logits[k]!) > 1e-4),
    "it is not symmetric",
  );
  both!.logits.forEach((value, k) => {
    assertAlmostEquals(value, (plain!.logits[k]! + mirror!.logits[k]!) / 2, 1e-5);
  });
  const entries = [{ width, height, label: 0 }];
  const pixels = () => data;
  const evaluated = await evaluate(classifier, { entries, pixels }, { tta: true });
  assertAlmostEquals(evaluated.loss, -Math.log(both!.probabilities[0]!), 1e-5);
  await classifier.close();
});

Deno.test("a map that is mirrored twice is the map again", () => {
  const map = [1.5, 0.25, 3, -0.5, 2, 7] as const;
  assertEquals(mirrored(mirrored(map, 64), 64), [...map]);
  const [a, b, c, d, e, f] = mirrored(map, 64);
  assertEquals([a * 64 + b * 5 + c, d * 64 + e * 5 + f], [3 + 0.25 * 5, 7 + 2 * 5]);
});
