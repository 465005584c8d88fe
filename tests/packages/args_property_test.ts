import fc from "fast-check";
import { flag, parseFlags, UsageError } from "../../commands/cli/args.ts";

const command = {
  name: "deno task serve",
  summary: "Answers.",
  flags: {
    port: flag.int({ help: "port to listen on", default: 8000, min: 0, max: 65535 }),
    maxBatch: flag.int({ help: "images in one pass", default: 32, min: 1 }),
    lr: flag.float({ help: "learning rate", min: 0 }),
    augment: flag.choice(["off", "light", "full"], { help: "variation", default: "light" }),
    checkpoint: flag.list({ help: "file to serve", value: "[NAME=]PATH" }),
    classes: flag.list({ help: "classes", separator: "," }),
    json: flag.boolean({ help: "print JSON" }),
    watch: flag.boolean({ help: "do not reload", default: true }),
    host: flag.string({ help: "address", default: "127.0.0.1" }),
  },
};

Deno.test("any arguments give values or a usage error, never another exception", () => {
  const word = fc.oneof(
    fc.string(),
    fc.constantFrom(
      "--port",
      "--json",
      "--",
      "-",
      "--no-",
      "--=",
      "--a.b",
      "-xyz=1",
      "-_",
      "--toString",
      "--no-__proto__",
    ),
  );
  fc.assert(fc.property(fc.array(word, { maxLength: 6 }), (args) => {
    try {
      const { port } = parseFlags(args, { ...command, positionals: { name: "ANY" } });
      return Number.isInteger(port);
    } catch (error) {
      return error instanceof UsageError;
    }
  }));
});
