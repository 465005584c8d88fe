import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { loadCheckpoint } from "../../model/checkpoint/checkpoint.ts";
import type { RunEvent } from "../../training/run/events.ts";
import { topEpochs } from "../../training/run/top_epochs.ts";
import { resumeTraining, train } from "../../training/train.ts";
import { places, smallOptions, withShapes } from "./small_run.ts";
import { testNeeding } from "../permissions.ts";

const ranked = (epoch: number, accuracy: number, loss: number) => ({ epoch, accuracy, loss });

Deno.test("the best epochs are those of the highest accuracy, then the lowest loss, then the first ones", () => {
  const all = [
    ranked(1, 0.5, 1),
    ranked(2, 0.9, 0.4),
    ranked(3, 0.9, 0.3),
    ranked(4, 0.9, 0.4),
    ranked(5, 0.2, NaN),
  ];
  const kept = all.reduce<ReturnType<typeof topEpochs>>((top, next) => topEpochs(top, next, 3), []);
  assertEquals(kept.map(({ epoch }) => epoch), [3, 2, 4]);
  assertEquals(topEpochs(kept, ranked(6, 0.9, 0.4), 3), kept);
  assertEquals(topEpochs(kept, ranked(6, 1, 2), 3).map(({ epoch }) => epoch), [6, 3, 2]);
  assertEquals(topEpochs([ranked(1, 0.2, NaN)], ranked(2, 0.2, 3), 1).map(({ epoch }) => epoch), [2]);
  // An epoch that is made again takes its own place.
  assertEquals(topEpochs(kept, ranked(2, 0.9, 0.1), 3).map(({ epoch }) => epoch), [2, 3, 4]);
  assertEquals(topEpochs([], ranked(1, 1, 0), 0), []);
});

testNeeding("all")(
  "a run keeps the checkpoints of its best epochs and no others, also when it is resumed",
  () =>
    withShapes(async (dir, data) => {
      const events: RunEvent[] = [];
      const report = (event: RunEvent) => events.push(event);
      const files = () =>
        [...Deno.readDirSync(join(dir, "top"))].map(({ name }) => name).filter((name) =>
          name.startsWith("epoch-")
        )
          .sort();
      const wanted = () => {
        const epochs = events.flatMap((e) =>
          e.event === "epoch" ? [ranked(e.epoch, e.valid!.accuracy, e.valid!.loss)] : []
        );
        const order = epochs.toSorted((a, b) => b.accuracy - a.accuracy || a.loss - b.loss).slice(0, 2);
        return order.map(({ epoch }) => `epoch-${epoch}.safetensors`).sort();
      };
      await train(smallOptions(data, "--epochs", "4", "--top-k", "2"), places(dir, "top"), report);
      assertEquals(files(), wanted());
      await resumeTraining(join(dir, "top"), { epochs: 6 }, places(dir, "top"), report);
      assertEquals(files(), wanted());
      const { card } = await loadCheckpoint(join(dir, "top", files()[0]!));
      assertEquals(`epoch-${card.training?.epoch}.safetensors`, files()[0]);
    }),
);
