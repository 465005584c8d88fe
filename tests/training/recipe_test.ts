import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { parseFlags } from "../../commands/cli/args.ts";
import { helpText } from "../../commands/cli/args.ts";
import { optionsOfFlags, TRAIN_COMMAND } from "../../commands/train_command.ts";
import { RUN_OPTIONS, runOptions } from "../../training/options/options.ts";
import { recipeLine } from "../../training/options/recipe.ts";
import { settle } from "../../training/options/settle.ts";

const ofFlags = (...args: string[]) => optionsOfFlags(parseFlags(args, TRAIN_COMMAND));
const plain = JSON.parse(JSON.stringify(runOptions({ model: "compact" })));

Deno.test("photos without a model are trained by the recipe, and nothing else is", () => {
  const recipe = ofFlags("--data", "photos");
  assertEquals([recipe.recipe, recipe.model, recipe.size, recipe.schedule], [
    ...["photos", "compact-res", 128, "one-cycle"],
  ]);
  assert(recipe.mixup > 0 && recipe.cropScale && recipe.ema && recipe.nesterov);
  assertEquals(
    JSON.parse(JSON.stringify(runOptions({ data: "photos" }))),
    JSON.parse(JSON.stringify(recipe)),
  );
  const same = (given: object, ...args: string[]) =>
    assertEquals(JSON.parse(JSON.stringify(ofFlags(...args))), { ...plain, ...given });
  same({ recipe: "shapes", size: 96 });
  same({}, "--model", "compact");
  same({ recipe: "shapes", size: 224 }, "--size", "224");
  same({ data: "photos", model: "compact-res" }, "--data", "photos", "--model", "compact-res");
  same({ data: "photos", recipe: "none" }, "--data", "photos", "--recipe", "none");
  same({ data: "photos", weights: "a" }, "--data", "photos", "--weights", "a");
});

Deno.test("what is given stands, and what the recipe has for another optimiser, schedule or augmentation goes", () => {
  const options = ofFlags("--data", "photos", "--recipe", "photos", "--model", "compact-bn", "--ema", "0.9");
  assertEquals([options.model, options.ema, options.mixup > 0], ["compact-bn", 0.9, true]);
  const adam = ofFlags("--data", "photos", "--optimizer", "adamw");
  assertEquals([adam.lr, adam.weightDecay, adam.nesterov], [undefined, undefined, false]);
  assertEquals(adam.weightDecayOn, "matrices");
  const cosine = ofFlags("--data", "photos", "--schedule", "cosine");
  assertEquals([cosine.pctStart, ofFlags("--data", "photos", "--warmup", "9").pctStart], [
    undefined,
    undefined,
  ]);
  const off = ofFlags("--data", "photos", "--augment", "off");
  assertEquals([off.cropScale, off.brightness, off.mixup], [undefined, 0, 0]);
  assertEquals(ofFlags("--data", "photos", "--momentum", "0").nesterov, false);
  // Other sizes, and models whose weights depend on the size, are not resized on the way.
  assertEquals([options.startSize, ofFlags("--data", "photos", "--size", "160").startSize], [
    undefined,
    undefined,
  ]);
  assertEquals(ofFlags("--data", "photos").startSize, 96);
});

Deno.test("the recipe's runs see about as many photos, in 30 to 200 epochs", () => {
  const epochs = (photos: number, ...args: string[]) =>
    settle(ofFlags("--data", "photos", ...args), photos).options.epochs;
  assertEquals([2400, 60, 1000, 100_000].map((photos) => epochs(photos)), [67, 200, 160, 30]);
  assertEquals([epochs(2400, "--epochs", "3"), epochs(2400, "--model", "compact")], [3, 30]);
});

Deno.test("a run says which recipe it follows, and the help text what is in it", () => {
  assertEquals(
    recipeLine(ofFlags("--data", "photos")),
    "Recipe    photos: compact-res at 96x96, then 128x128, resized crops and mixup (docs/recipe.md); --recipe none leaves it",
  );
  assertEquals(recipeLine(ofFlags("--data", "photos", "--augment", "off"))?.includes("crops"), false);
  assertEquals(recipeLine(ofFlags()), undefined);
  const help = helpText(TRAIN_COMMAND, { all: true });
  assertStringIncludes(help, "with --data and no --model: --model compact-res --size 128 --start-size 96");
  assert(!/--model .*\(default compact\)/.test(help));
});

Deno.test("flags that are left out are undefined, and the options' own defaults are shown all the same", () => {
  const flags = parseFlags([], TRAIN_COMMAND);
  for (const key of Object.keys(RUN_OPTIONS)) {
    assertEquals(flags[key as keyof typeof RUN_OPTIONS], undefined, key);
  }
  assertStringIncludes(helpText(TRAIN_COMMAND, { all: true }), "(default cosine)");
});
