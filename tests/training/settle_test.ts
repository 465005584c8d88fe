import { assert, assertEquals, assertMatch } from "@std/assert";
import { helpText } from "../../commands/cli/args.ts";
import { TRAIN_COMMAND } from "../../commands/train_command.ts";
import { OPTIMIZER_DEFAULTS, OPTIMIZERS } from "../../training/step/optimizer.ts";
import { type RunOptions, runOptions } from "../../training/options/options.ts";
import { learningRate } from "../../training/options/schedule.ts";
import { runLength, settle } from "../../training/options/settle.ts";

const settled = (given: Partial<RunOptions>, photos: number) => settle(runOptions(given), photos);
const texts = (given: Partial<RunOptions>, photos: number) =>
  Object.fromEntries(settled(given, photos).chosen.map(({ option, text }) => [option, text]));

Deno.test("a run is as long as its steps, or else its epochs, in which every photo is seen", () => {
  const { options } = settled({ batchSize: 4, accumulate: 2, epochs: 3 }, 33);
  // Nine batches, two a step.
  assertEquals(runLength(options, 33), { perEpoch: 5, steps: 15, epochs: 3 });
  assertEquals(runLength({ ...options, steps: 9 }, 33), { perEpoch: 5, steps: 9, epochs: 2 });
  assertEquals(runLength({ ...options, wholeStepsOnly: true }, 33).perEpoch, 4);
  assertEquals(settled({ epochs: 1 }, 120).length.perEpoch, 4);
  assertEquals(settled({ epochs: 1, batchSize: 30 }, 120).length.perEpoch, 4);
});

Deno.test("neither a batch nor a step takes more photos than there are, and the run says so", () => {
  const few = settled({}, 18);
  assertEquals([few.options.batchSize, few.notes], [18, []]);
  assertEquals(texts({}, 18).batchSize, "batch 18 (all training photos)");
  assertEquals(texts({}, 32).batchSize, "batch 32 (the default)");
  assertEquals(texts({ batchSize: 32 }, 18).batchSize, undefined);
  assertEquals(settled({ batchSize: 32 }, 18).notes, [
    "Batch     18 images instead of 32: there are 18 training photos",
  ]);
  assertEquals(settled({ batchSize: 8, accumulate: 4 }, 18).options.accumulate, 2);
  assertEquals(settled({ batchSize: 9 }, 1).notes, [
    "Batch     1 image instead of 9: there is 1 training photo",
  ]);
});

Deno.test("each optimiser has its own learning rate and weight decay, which can be given", () => {
  for (const optimizer of OPTIMIZERS) {
    const { lr, weightDecay } = settled({ optimizer }, 100).options;
    assertEquals({ lr, weightDecay }, OPTIMIZER_DEFAULTS[optimizer]);
    const own = settled({ optimizer, lr: 0.5, weightDecay: 0 }, 100);
    assertEquals([own.options.lr, own.options.weightDecay], [0.5, 0]);
    assert(own.chosen.every(({ option }) => option !== "lr" && option !== "weightDecay"));
    assertEquals(texts({ optimizer }, 100).lr, `learning rate ${lr} (for ${optimizer})`);
  }
  assertEquals(OPTIMIZER_DEFAULTS.sgd.lr, 0.02);
  const help = helpText(TRAIN_COMMAND, { all: true });
  assertMatch(
    help,
    /--lr X +highest learning rate \(default: by optimiser: sgd 0\.02, adam 0\.\d+, adamw .*\)/,
  );
});

Deno.test("the warm-up is a tenth of the run and at most 50 steps, and what is given stays", () => {
  const warmup = (given: Partial<RunOptions>) => settled(given, 64).options.warmup;
  assertEquals([8, 24, 499, 500, 9000].map((steps) => warmup({ steps })), [0, 2, 49, 50, 50]);
  assertEquals(warmup({ steps: 24, warmup: 50 }), 50);
  assertEquals(warmup({ steps: 24, warmup: 0 }), 0);
  assertEquals(texts({ steps: 24 }, 64).warmup, "warm-up 2 steps (a tenth of the run)");
  assertEquals(texts({ steps: 9 }, 64).warmup, "no warm-up (the run is too short)");
  assertEquals(texts({ steps: 10 }, 64).warmup, "warm-up 1 step (a tenth of the run)");
  // One cycle rises for 30 % of the run, as it does with a warm-up of 0.
  const cycle = settled({ steps: 100, schedule: "one-cycle" }, 64).options;
  for (const step of [0, 10, 29, 30, 99]) {
    assertEquals(
      learningRate({ ...cycle, steps: 100 }, step),
      learningRate({ ...cycle, steps: 100, warmup: 0 }, step),
    );
  }
});

Deno.test("a given warm-up that is not shorter than the run is warned of", () => {
  const warnings = (given: Partial<RunOptions>) => settled(given, 64).notes;
  assertEquals(warnings({ steps: 24, warmup: 24 }), [
    "Warning   the warm-up of 24 steps is not shorter than the run of 24: the learning rate only rises",
  ]);
  assertEquals(warnings({ steps: 24, warmup: 23 }), []);
  assertEquals(warnings({ steps: 1 }), []);
});

Deno.test("a learning rate of 0 is warned of", () => {
  assertEquals(settled({ lr: 0 }, 64).notes, ["Warning   the learning rate is 0: nothing is learnt"]);
  assertEquals(settled({ lr: 1e-9 }, 64).notes, []);
});

Deno.test("a run says what it chose, and once settled chooses nothing more", () => {
  assertEquals(texts({ data: "photos", steps: 9 }, 64).epochs, undefined);
  assertEquals(texts({ data: "photos", model: "compact" }, 64).epochs, "30 epochs (for photos)");
  const first = settled({ data: "photos", model: "compact", optimizer: "adamw" }, 18);
  assertEquals(first.chosen.map(({ option }) => option).sort(), [
    ...["batchSize", "epochs", "lr", "warmup", "weightDecay"],
  ]);
  const again = settle(JSON.parse(JSON.stringify(first.options)), 18);
  assertEquals([again.options, again.chosen, again.notes], [first.options, [], []]);
});

Deno.test("the warm-up may be told as a share of the run, and is kept as steps", () => {
  const { options, chosen } = settled({ steps: 200, schedule: "one-cycle", pctStart: 0.2 }, 64);
  assertEquals([options.warmup, options.pctStart], [40, undefined]);
  assert(chosen.some(({ text }) => text === "warm-up 40 steps (20 % of the run)"));
  assertEquals(settle(JSON.parse(JSON.stringify({ ...options, steps: 400 })), 64).options.warmup, 40);
});
