import { assertEquals } from "@std/assert";
import { checkpointOf } from "../model/inference/small_checkpoint.ts";
import { createClassifier } from "../../model/inference/load.ts";
import { evaluate, evaluationOf } from "../../training/evaluation/evaluate.ts";
import { logitsOf, predictPhotos } from "../../training/evaluation/predictions.ts";
import { gpu } from "../gpu.ts";

Deno.test("predictions hold each photo's logits, label and file in the source's order, and give the figures of an evaluation", async () => {
  const classifier = await createClassifier(checkpointOf(3, 1), { gpu, maxBatch: 2 });
  const photos = [0, 1, 2, 3, 4].map((seed) => ({
    width: 70 + seed,
    height: 64,
    data: new Uint8Array((70 + seed) * 64 * 4).map((_, i) => (i * (seed + 3)) >> 2),
  }));
  const source = {
    entries: photos.map(({ width, height }, i) => ({
      ...{ width, height, label: i % 3 },
      ...i > 0 && { path: `photo ${i}.jpg` },
    })),
    pixels: (index: number) => photos[index]!.data,
  };
  const told: number[] = [];
  const predictions = await predictPhotos(classifier, source, { onProgress: (done) => told.push(done) });
  assertEquals(told, [2, 4, 5]);
  assertEquals(predictions.classes, ["class 0", "class 1", "class 2"]);
  assertEquals([...predictions.labels], [0, 1, 2, 0, 1]);
  assertEquals(predictions.paths, ["", "photo 1.jpg", "photo 2.jpg", "photo 3.jpg", "photo 4.jpg"]);
  for (const [i, photo] of photos.entries()) {
    const [answer] = await classifier.classify([photo]);
    assertEquals(logitsOf(predictions, i), answer!.logits);
  }
  const mirrored = await predictPhotos(classifier, source, { tta: true });
  const [both] = await classifier.classify([photos[4]!], { tta: true });
  assertEquals(logitsOf(mirrored, 4), both!.logits);
  const figures = await evaluate(classifier, source);
  assertEquals(evaluationOf(predictions), figures);
  assertEquals(figures.n, 5);
  await classifier.close();
});
