import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { z } from "zod";
import { helpText, parseFlags, UsageError } from "../../commands/cli/args.ts";
import { flagsOf } from "../../commands/cli/schema_flags.ts";

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
  assertMatch(text, /--names A,B +what; one with a comma in it .+ \(may be repeated\)/);
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
