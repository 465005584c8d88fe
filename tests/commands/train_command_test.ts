import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { z } from "zod";
import { helpText, parseFlags, UsageError } from "../../commands/cli/args.ts";
import { flagsOf } from "../../commands/cli/schema_flags.ts";
import { requireResumable, TRAIN_COMMAND } from "../../commands/train_command.ts";
import { UserError } from "../../engine/errors.ts";
import { runOptions, runOptionsSchema } from "../../training/options.ts";

const command = {
  name: "cut",
  summary: "Cuts.",
  flags: flagsOf({
    batchSize: z.int().min(1).max(9).default(4).meta({ description: "how many" }),
    rate: z.number().min(0).optional().meta({ description: "how fast" }),
    kind: z.enum(["oak", "ash"]).default("ash").meta({ description: "which" }),
    dry: z.boolean().default(false).meta({ description: "not yet wet" }),
    names: z.array(z.string()).readonly().optional().meta({ description: "what", value: "A,B" }),
    between: z.tuple([z.number().min(0), z.number().max(2)]).optional().meta({ description: "where" }),
    path: z.string().meta({ description: "from where", value: "FILE" }),
  }),
};
const parse = (...args: string[]) => parseFlags(["--path", "x", ...args], command);
const fails = (words: RegExp, ...args: string[]) =>
  assertMatch(assertThrows(() => parse(...args), UsageError).message, words);

Deno.test("a schema's fields become flags with their types, defaults and help", () => {
  assertEquals(parse(), {
    ...{ batchSize: 4, rate: undefined, kind: "ash", dry: false, names: undefined, between: undefined },
    ...{ path: "x", positionals: [] },
  });
  const parsed = parse("--batch-size=2", "--rate", "1e-3", "--dry", "--names", "a,b", "--between", "0.5, 1");
  // The types are part of the test: this line compiles only if each flag has its own.
  const numbers: (number | undefined)[] = [parsed.batchSize, parsed.rate, ...parsed.between ?? []];
  assertEquals([numbers, parsed.dry, parsed.names], [[2, 0.001, 0.5, 1], true, ["a", "b"]]);
  const text = helpText(command);
  assertMatch(text, /--batch-size N +how many \(default 4\)/);
  assertMatch(text, /--kind oak\|ash +which \(default ash\)/);
  assertMatch(text, /--names A,B +what \(may be repeated\)/);
  assertMatch(text, /--between X,X +where\n/);
  assertMatch(text, /--path FILE +from where \(required\)/);
});

Deno.test("a schema's ranges and choices are those of its flags", () => {
  fails(/--batch-size got "10", expected a whole number from 1 to 9/, "--batch-size", "10");
  fails(/--batch-size got "1.5", expected a whole number/, "--batch-size", "1.5");
  fails(/--rate got "-1", expected a number of at least 0/, "--rate=-1");
  fails(/--kind got "elm", expected one of oak, ash/, "--kind", "elm");
  fails(/--between got "1", expected 2 numbers with commas/, "--between", "1");
  fails(/--between got "1,3", expected a number of at most 2/, "--between", "1,3");
  fails(/--between got "1,", expected a number/, "--between", "1,");
  assertMatch(assertThrows(() => parseFlags([], command), UsageError).message, /--path is missing/);
});

Deno.test("a schema that is no flag is refused by its name", () => {
  assertThrows(() => flagsOf({ when: z.date() }), TypeError, "Cannot make a flag of when");
});

Deno.test("the flags of train are the run's options, and their defaults the ones that config.json would have", () => {
  const flags = parseFlags([], TRAIN_COMMAND);
  const options = runOptions(flags);
  const plain = JSON.parse(JSON.stringify(options));
  assertEquals(plain, JSON.parse(JSON.stringify(runOptions({}))));
  assertEquals([plain.model, plain.size, plain.lr, plain.momentum, plain.epochs], [
    ...["compact", 224, 0.02, undefined, 12],
  ]);
  assertEquals(runOptions(parseFlags(["--data", "photos"], TRAIN_COMMAND)).epochs, 30);
  assertEquals(
    Object.keys(plain).filter((key) => ["out", "workers", "json", "positionals"].includes(key)),
    [],
  );
});

Deno.test("the optimiser's own options can be given", () => {
  const args = ["--optimizer", "adamw", "--betas", "0.8,0.99", "--eps", "1e-6", "--alpha", "0.9"];
  const { betas, eps, alpha } = runOptions(parseFlags(args, TRAIN_COMMAND));
  assertEquals([betas, eps, alpha], [[0.8, 0.99], 1e-6, 0.9]);
  const fails = (...args: string[]) => assertThrows(() => parseFlags(args, TRAIN_COMMAND), UsageError);
  assertMatch(fails("--betas", "0.9,1").message, /--betas got "0.9,1", expected a number from 0 to 0.999999/);
  assertMatch(fails("--eps", "0").message, /--eps got "0", expected a number from 1e-30 to 1/);
});

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

Deno.test("flags that the run's own options would contradict cannot stand beside --resume", () => {
  requireResumable(["--resume", "runs/a", "--epochs=3", "--json", "--no-json", "--workers", "2"]);
  requireResumable(["--resume", "runs/a", "--steps", "9", "--save-every", "3", "--resident=never"]);
  for (const flag of ["--lr=0.1", "--out=b", "--no-nesterov"]) {
    const refuse = () => requireResumable(["--resume", "runs/a", flag]);
    const { message } = assertThrows(refuse, UsageError, "cannot stand beside --resume");
    assertMatch(message, /^--(lr|out|nesterov) /);
  }
});
