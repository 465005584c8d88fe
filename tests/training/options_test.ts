import { assertEquals, assertThrows } from "@std/assert";
import { UserError } from "../../engine/errors.ts";
import { runOptions, runOptionsSchema } from "../../training/options.ts";

Deno.test("a configuration of the first version is still read", () => {
  const recorded = {
    ...{ data: "photos", model: "compact", size: 224, batchSize: 32, lr: 0.02, optimizer: "sgd" },
    ...{ weightDecay: 0.0005, schedule: "cosine", warmup: 50, labelSmoothing: 0, augment: "light" },
    ...{ seed: 1, epochs: 30, checkNumerics: false },
  };
  const options = runOptionsSchema.parse(recorded);
  const added = { accumulate: 1, nesterov: false, classWeights: "equal" };
  assertEquals(JSON.parse(JSON.stringify(options)), { ...recorded, ...added });
});

Deno.test("an option that is wrong is named, whoever gives it", () => {
  assertThrows(() => runOptions({ lr: -1 }), UserError, "Cannot train: lr is wrong");
});
