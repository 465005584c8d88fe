import { assertAlmostEquals, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { RecordedSplit } from "../../data/dataset/split_record.ts";
import { openDataset } from "../../data/dataset/folder.ts";
import { loadCheckpoint } from "../../model/checkpoint/checkpoint.ts";
import { trainFolds } from "../../training/search/folds.ts";
import { resumeTraining } from "../../training/train.ts";
import type { RunEvent } from "../../training/run/events.ts";
import { places, smallOptions, withShapes } from "./small_run.ts";
import { testNeeding } from "../permissions.ts";

testNeeding("all")(
  "a cross-validation trains a run for each fold and sums them up, and each goes on by itself",
  () =>
    withShapes(async (dir, data) => {
      const events: RunEvent[] = [];
      const options = smallOptions(data, "--folds", "2", "--epochs", "2");
      await trainFolds(options, places(dir, "cv"), (event) => events.push(event));
      const ends = events.flatMap((e) => e.event === "end" ? [e.result!.accuracy] : []);
      const lasts = events.flatMap((e) => e.event === "epoch" && e.epoch === 2 ? [e.valid!.accuracy] : []);
      const summary = events.at(-1)!;
      if (summary.event !== "folds") throw new Error(`the last event is ${summary.event}`);
      assertEquals([summary.n, summary.best.accuracy, summary.last.accuracy], [56, ends, lasts]);
      assertAlmostEquals(summary.best.mean, (ends[0]! + ends[1]!) / 2);
      assertAlmostEquals(summary.best.deviation, Math.abs(ends[0]! - ends[1]!) / Math.SQRT2);
      // Each checkpoint records its own fold, so that labels can be judged by a run that was not trained on them.
      const { splits } = await openDataset(data, { seed: 1 });
      const pool = [...splits.train, ...splits.valid];
      const trained = await Promise.all([1, 2].map(async (fold) => {
        const { card } = await loadCheckpoint(join(dir, "cv", `fold-${fold}`, "best.safetensors"));
        return new RecordedSplit(card.split!).sort(pool).trained;
      }));
      assertEquals(trained[0]!.intersection(trained[1]!).size, 0);
      assertEquals(trained[0]!.union(trained[1]!).size, 56);
      // What goes on is the fold, not the folder's own split.
      const longer: RunEvent[] = [];
      const again = { epochs: 3 };
      await resumeTraining(
        join(dir, "cv", "fold-2"),
        again,
        places(dir, "cv"),
        (event) => longer.push(event),
      );
      const start = longer.find((e) => e.event === "start")!;
      assertEquals([start.split, start.images], ["fold 2 of 2", { train: 28, valid: 28, test: 0 }]);
    }),
);
