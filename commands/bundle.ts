/** `deno task bundle`: the engine as one ES module for pages. */
import { dirname } from "@std/path";
import { flag, parseOrExit } from "./cli/args.ts";
import { runCommand } from "./cli/failures.ts";
import { buildEngineModule, ENGINE_PLACE, isCurrent } from "./web/engine_module.ts";

const NAME = "deno task bundle";

const flags = parseOrExit(Deno.args, {
  name: NAME,
  summary: "Builds the engine, networks and trainer as one ES module for pages, with its source map. " +
    "Where it is there and nothing has changed since, nothing is done.",
  flags: {
    out: flag.path({ help: "the module's file", default: ENGINE_PLACE, value: "FILE" }),
    optional: flag.boolean({ help: "where it cannot be built, say why and go on" }),
  },
});

await runCommand(NAME, async () => {
  const { out, optional } = flags;
  if (await isCurrent(out)) return;
  try {
    await buildEngineModule(out);
    console.error(`Built ${out} for pages; its source map lies beside it in ${dirname(out)}`);
  } catch (error) {
    if (!optional) throw error;
    console.error(`${(error as Error).message}; pages predict on the server alone`);
  }
});
