/** `deno task bench`: checks and times kernels and whole steps on this machine's GPU. */
import { flag, parseOrExit, UsageError } from "../commands/cli/args.ts";
import { runCommand } from "../commands/cli/failures.ts";
import { requireSize, sizeFlag } from "../commands/cli/size.ts";
import { requestTunedGpu } from "../model/tuned_gpu.ts";
import { Gpu } from "../engine/gpu.ts";
import { ARCHITECTURES } from "../model/architectures/registry.ts";
import { reportLines, saveSection } from "./report.ts";
import { runBench, unitsOf } from "./run.ts";

const NAME = "deno task bench";

const flags = parseOrExit(Deno.args, {
  name: NAME,
  summary:
    "Checks every kernel on a model's real shapes, times it beside this adapter's measured ceilings, then times whole steps.",
  usesGpu: true,
  flags: {
    model: flag.list({
      help: `models to measure, of ${Object.keys(ARCHITECTURES).join(", ")}`,
      value: "NAME",
      separator: ",",
      default: ["compact", "alexnet"],
    }),
    batch: flag.int({ help: "images of a training step (default 32, for alexnet 8)", min: 2, max: 4096 }),
    size: sizeFlag("224"),
    only: flag.string({
      help: "only what has this text in its name: conv2d, training, product …",
      value: "TEXT",
    }),
    repeats: flag.int({ help: "runs of which medians are taken", default: 5, min: 1, max: 100 }),
    data: flag.path({
      help: "photos to train on; without it, training on photos is not measured",
      value: "DIR",
    }),
    tuned: flag.boolean({ help: "do without the tiles that `deno task tune` has found", default: true }),
    quick: flag.boolean({ help: "small inputs, one run: shows that all works, measures nothing" }),
    json: flag.boolean({ help: "print one JSON document" }),
    save: flag.boolean({ help: "also write the tables to bench/results/ADAPTER.md" }),
  },
});

await runCommand(NAME, async () => {
  const { model: models, batch, size, only, data, quick } = flags;
  const unknown = models.find((model) => !Object.hasOwn(ARCHITECTURES, model));
  if (unknown !== undefined) {
    throw new UsageError(`--model is ${unknown}, wanted some of ${Object.keys(ARCHITECTURES).join(", ")}`);
  }
  requireSize(size, models);
  const choice = { models, batch, size, only, data, quick };
  const effort = { repeats: quick ? 1 : flags.repeats, milliseconds: quick ? 20 : 500, quick };
  using gpu = flags.tuned
    ? await requestTunedGpu({ onNote: (note) => console.error(note) })
    : await Gpu.request();
  console.error(`${NAME}: ${gpu.name}, ${unitsOf(choice).length} units`);
  const command = [NAME, ...Deno.args].join(" ");
  const report = await runBench(gpu, choice, effort, command, (text) => console.error(text));
  const measured = [report.kernels, report.training, report.inference, report.host, report.photos].flat();
  if (measured.length === 0) {
    throw new UsageError(`--only is ${JSON.stringify(only)}: nothing has that in its name`);
  }
  console.log(flags.json ? JSON.stringify(report) : reportLines(report).join("\n"));
  if (flags.save) {
    console.error(`wrote ${await saveSection(report.adapter.name, "bench", reportLines(report))}`);
  }
  return report.kernels.some(({ correct }) => !correct) ? 1 : 0;
});
