import { assert, assertEquals } from "@std/assert";
import { batchesText, bestBatch } from "../../training/run/batch_finder.ts";
import type { RunEvent } from "../../training/run/events.ts";
import { RunFolder } from "../../training/run/run_folder.ts";
import { resumeTraining, train } from "../../training/train.ts";
import { places, smallOptions, withShapes } from "./small_run.ts";
import { testNeeding } from "../permissions.ts";

const tried = (...rates: number[]) =>
  rates.map((imagesPerSecond, i) => ({ batch: 16 * 2 ** i, imagesPerSecond }));

Deno.test("the best batch size is the largest that is about as fast as any", () => {
  assertEquals(bestBatch(tried(50, 90, 100, 96, 80)), 128);
  assertEquals(bestBatch(tried(50, 90, 100, 94)), 64);
  assertEquals(bestBatch(tried(100)), 16);
  const text = batchesText(tried(50.4, 90));
  assert(
    text.startsWith("Batch     32: the largest that is about as fast as any (16: 50, 32: 90 images/s)"),
    text,
  );
});

testNeeding("all")(
  "a run finds its batch size before it starts, records it, and goes on with it",
  () =>
    withShapes(async (dir, data) => {
      const options = { ...smallOptions(data, "--epochs", "1"), batchSize: undefined };
      const events: RunEvent[] = [];
      await train(options, { ...places(dir, "a"), autoBatch: true }, (event) => events.push(event));
      const { options: { batchSize } } = await RunFolder.open(`${dir}/a`);
      assert(batchSize === 16 || batchSize === 32, `${batchSize} of 48 photos`);
      const notes = events.flatMap((e) => e.event === "note" ? [e.text] : []);
      assert(notes.some((text) => text.startsWith(`Batch     ${batchSize}: the largest`)), notes.join("\n"));
      const start = events.find((e) => e.event === "start")!;
      assertEquals(start.chosen.some(({ option }) => option === "batchSize"), false);
      // The weights that were timed are not those that are trained.
      await train({ ...options, batchSize }, places(dir, "b"), () => {});
      const read = (name: string) => Deno.readFile(`${dir}/${name}/last.safetensors`);
      assertEquals(await read("a"), await read("b"));
      await resumeTraining(`${dir}/a`, { epochs: 2 }, { ...places(dir, "a"), autoBatch: true }, () => {});
      assertEquals((await RunFolder.open(`${dir}/a`)).options.batchSize, batchSize);
    }),
);
