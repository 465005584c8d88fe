import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { parseFlags, UsageError } from "../../commands/cli/args.ts";
import { requireResumable, TRAIN_COMMAND } from "../../commands/train_command.ts";
import { runOptions } from "../../training/options.ts";

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

Deno.test("flags that the run's own options would contradict cannot stand beside --resume", () => {
  requireResumable(["--resume", "runs/a", "--epochs=3", "--json", "--no-json", "--workers", "2"]);
  requireResumable(["--resume", "runs/a", "--steps", "9", "--save-every", "3", "--resident=never"]);
  for (const flag of ["--lr=0.1", "--out=b", "--no-nesterov"]) {
    const refuse = () => requireResumable(["--resume", "runs/a", flag]);
    const { message } = assertThrows(refuse, UsageError, "cannot stand beside --resume");
    assertMatch(message, /^--(lr|out|nesterov) /);
  }
});
