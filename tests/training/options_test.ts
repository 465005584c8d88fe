import { assertEquals, assertThrows } from "@std/assert";
import { UserError } from "../../engine/errors.ts";
import { runOptions, runOptionsSchema } from "../../training/options/options.ts";

Deno.test("a configuration of the first version is still read", () => {
  const recorded = {
    ...{ data: "photos", model: "compact", size: 224, batchSize: 32, lr: 0.02, optimizer: "sgd" },
    ...{ weightDecay: 0.0005, schedule: "cosine", warmup: 50, labelSmoothing: 0, augment: "light" },
    ...{ seed: 1, epochs: 30, checkNumerics: false },
  };
  const options = runOptionsSchema.parse(recorded);
  const added = {
    ...{
      recipe: "none",
      accumulate: 1,
      nesterov: false,
      classWeights: "equal",
      weightDecayOn: "all",
      finalLr: 0,
      fastReduce: false,
    },
    ...{ sampling: "shuffled", brightness: 0, contrast: 0, saturation: 0, randomErase: 0 },
    ...{ mixup: 0, cutmix: 0, mixProb: 0.5, mixSwitchProb: 0.5, startShare: 0.5, overfitBatch: false },
    ...{ distillTemperature: 4, distillWeight: 0.7, falseRefusals: 0.05, fastReduce: false, topK: 0 },
  };
  assertEquals(JSON.parse(JSON.stringify(options)), { ...recorded, ...added });
});

Deno.test("an option that is wrong is named, whoever gives it", () => {
  assertThrows(() => runOptions({ lr: -1 }), UserError, "Cannot train: lr is wrong");
});

Deno.test("a batch that is to be learnt by heart is neither varied nor mixed, whatever the recipe has", () => {
  const options = runOptions({ data: "photos", overfitBatch: true, cutmix: 1 });
  assertEquals(
    [options.mixup, options.cutmix, options.cropScale, options.brightness, options.augment, options.hflip],
    [0, 0, undefined, 0, "off", undefined],
  );
  assertEquals([options.labelSmoothing, options.ema, options.startSize], [0, undefined, undefined]);
  assertEquals([options.model, options.lr], ["compact-res", 0.1]);
});

Deno.test("options that contradict one another, or mean nothing alone, are refused", () => {
  const refused = (given: Parameters<typeof runOptions>[0], sentence: string) =>
    assertThrows(() => runOptions(given), UserError, sentence);
  refused({ warmup: 3, pctStart: 0.2 }, "warmup and pctStart both say how long the warm-up is");
  refused({ cropRatio: [0.5, 2] }, "cropRatio is for random resized crops, which cropScale asks for");
  refused({ cropScale: [0.9, 0.5] }, "cropScale is 0.9,0.5, wanted the smaller number first");
  refused({ fold: 1 }, "fold is 1, and there are no folds to choose from");
  refused({ fold: 3, folds: 2 }, "fold is 3, wanted 1 to 2, the folds there are");
  runOptions({ cropScale: [0.5, 0.5], cropRatio: [1, 1], pctStart: 0 });
});

Deno.test("inputs grow during a run, and never shrink", () => {
  assertEquals(runOptions({ size: 128, startSize: 128 }).startSize, 128);
  assertThrows(() => runOptions({ size: 96, startSize: 128 }), UserError, "startSize is 128, wanted at most");
});
