/** `deno task doctor`: proves on this adapter that every kernel computes what it should. */
import { join } from "@std/path";
import { kernelText } from "../engine/kernel.ts";
import type { Gpu } from "../engine/gpu.ts";
import { flag, parseOrExit, UsageError } from "./cli/args.ts";
import { runCommand } from "./cli/failures.ts";
import { requestTunedGpu } from "../model/tuned_gpu.ts";
import { ALL_CASES, QUICK_CASES } from "../model/cases.ts";
import { adapterText, rowText, summaryText, TABLE_HEADING } from "../engine/verify/report.ts";
import { describeAdapter, examine, exitCodeOf } from "./doctor_report.ts";

const NAME = "deno task doctor";

const flags = parseOrExit(Deno.args, {
  name: NAME,
  summary: "Checks every kernel on this machine's GPU against plain float64 loops and finite differences.",
  usesGpu: true,
  flags: {
    json: flag.boolean({ help: "print one JSON object" }),
    only: flag.string({ help: "run the cases of one operation, such as conv2d", value: "OPERATION" }),
    quick: flag.boolean({ help: "run two cases of each operation and no network" }),
    dumpWgsl: flag.path({
      help: "write every kernel that was compiled, as WGSL, into this folder",
      value: "DIR",
    }),
  },
});

await runCommand(NAME, async () => {
  const operations = new Set(ALL_CASES.map(({ op }) => op));
  if (flags.only !== undefined && !operations.has(flags.only)) {
    throw new UsageError(`--only is ${flags.only}, wanted one of ${[...operations].join(", ")}`);
  }
  const all = flags.quick ? QUICK_CASES : ALL_CASES;
  const cases = all.filter(({ op }) => flags.only === undefined || op === flags.only);
  using gpu = await requestTunedGpu({ onNote: (text) => console.error(text) });
  if (flags.json) {
    const examination = await examine(gpu, cases);
    await dump(gpu);
    console.log(JSON.stringify(examination));
    return exitCodeOf(examination);
  }
  console.log([...adapterText(await describeAdapter(gpu)), "", TABLE_HEADING].join("\n"));
  const examination = await examine(gpu, cases, (row) => console.log(rowText(row).join("\n")));
  await dump(gpu);
  console.log(`\n${summaryText(examination)}`);
  return exitCodeOf(examination);
});

/** Writes each module that was compiled once, with the numbers of its first launch. */
async function dump({ kernels }: Gpu): Promise<void> {
  if (flags.dumpWgsl === undefined) return;
  await Deno.mkdir(flags.dumpWgsl, { recursive: true });
  const modules = [
    ...new Map(kernels.compiled.map((launch) => [`${launch.name} ${launch.wgsl}`, launch])).values(),
  ];
  const counts = new Map<string, number>();
  for (const launch of modules) {
    const count = (counts.get(launch.name) ?? 0) + 1;
    counts.set(launch.name, count);
    await Deno.writeTextFile(join(flags.dumpWgsl, `${launch.name}.${count}.wgsl`), kernelText(launch));
  }
  console.error(`${modules.length} kernels written to ${flags.dumpWgsl}`);
}
