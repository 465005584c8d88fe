/** `deno task doctor`: proves on this adapter that every kernel computes what it should. */
import { flag, parseOrExit, UsageError } from "./cli/args.ts";
import { runCommand } from "./cli/failures.ts";
import { requestTunedGpu } from "../model/tuned_gpu.ts";
import { ALL_CASES } from "../model/cases.ts";
import {
  adapterText,
  describeAdapter,
  examine,
  exitCodeOf,
  rowText,
  summaryText,
  TABLE_HEADING,
} from "./doctor_report.ts";

const NAME = "deno task doctor";

const flags = parseOrExit(Deno.args, {
  name: NAME,
  summary: "Checks every kernel on this machine's GPU against plain float64 loops and finite differences.",
  flags: {
    json: flag.boolean({ help: "print one JSON object" }),
    only: flag.string({ help: "run the cases of one operation, such as conv2d", value: "OPERATION" }),
  },
});

await runCommand(NAME, async () => {
  const operations = new Set(ALL_CASES.map(({ op }) => op));
  if (flags.only !== undefined && !operations.has(flags.only)) {
    throw new UsageError(`--only is ${flags.only}, wanted one of ${[...operations].join(", ")}`);
  }
  const cases = ALL_CASES.filter(({ op }) => flags.only === undefined || op === flags.only);
  using gpu = await requestTunedGpu({ onNote: (text) => console.error(text) });
  if (flags.json) {
    const examination = await examine(gpu, cases);
    console.log(JSON.stringify(examination));
    return exitCodeOf(examination);
  }
  console.log([...adapterText(await describeAdapter(gpu)), "", TABLE_HEADING].join("\n"));
  const examination = await examine(gpu, cases, (row) => console.log(rowText(row).join("\n")));
  console.log(`\n${summaryText(examination)}`);
  return exitCodeOf(examination);
});
