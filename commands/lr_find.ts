/** `deno task lr-find`: a learning rate for a training, by a short run whose rate rises until the loss does. */
import { join } from "@std/path";
import { z } from "zod";
import { UserError } from "../engine/errors.ts";
import { count, printable } from "../engine/text.ts";
import { checkpointAt } from "../model/checkpoint/runs.ts";
import { writeFileAtomically } from "../model/checkpoint/files.ts";
import { lineChart } from "../report/charts.ts";
import { PICTURE } from "../report/look.ts";
import type { Option } from "../training/options/option.ts";
import { RUN_OPTIONS } from "../training/options/options.ts";
import { FEWEST, type FoundRate, judgeRates, testRates } from "../training/search/rate_finder.ts";
import { textReporter } from "../training/run/reporter.ts";
import { flag, parseOrExit } from "./cli/args.ts";
import { runCommand } from "./cli/failures.ts";
import { flagsOf, openFlagsOf } from "./cli/schema_flags.ts";
import { terminalColumns } from "./cli/terminal.ts";
import { optionsOfFlags } from "./train_command.ts";

const NAME = "deno task lr-find";

const { lr: _, steps: __, epochs: ___, patience: ____, ...fields } = RUN_OPTIONS;

const flags = parseOrExit(Deno.args, {
  name: NAME,
  summary:
    "Finds a learning rate for `deno task train` with the same flags: a short run whose rate rises by the same factor at " +
    "every step, until the loss does. Nothing is kept of it but the curve that --out asks for.",
  usesGpu: true,
  flags: {
    ...openFlagsOf(fields),
    ...flagsOf({
      highest: z.number().min(1e-9).max(1e6).default(3).meta({
        description: "the rate that it rises to, from a hundred-thousandth of it",
      }) as Option<number>,
    }),
    steps: flag.int({ help: "steps of the test", default: 200, min: 50, max: 100_000 }),
    out: flag.path({ help: "write the curve there, as a picture (SVG)", value: "FILE" }),
    cache: flag.path({ help: "folder for decoded photos (default: the usual one)", value: "DIR" }),
    json: flag.boolean({ help: "print one JSON object, with every reading" }),
  },
});

await runCommand(NAME, async () => {
  const write = (text: string) => void Deno.stderr.writeSync(new TextEncoder().encode(text));
  const terminal = Deno.stderr.isTerminal();
  const tell = textReporter(write, { terminal, ...terminal && { columns: terminalColumns() } });
  const { highest, steps, out, cache, json, weights, distill, ...given } = flags;
  const file = async (path: string | undefined) => path === undefined ? undefined : await checkpointAt(path);
  const options = optionsOfFlags({ ...given, weights: await file(weights), distill: await file(distill) });
  const folder = await Deno.makeTempDir({ prefix: "lr-find-" });
  try {
    const places = { out: join(folder, "run"), ...cache !== undefined && { cache } };
    const points = await testRates(options, { steps, highest }, places, (event) => {
      if (event.event !== "end" && event.event !== "epoch") tell(event);
    });
    if (!points) return;
    if (points.length < FEWEST) {
      throw new UserError(
        `Cannot find a learning rate: the loss was gone after ${
          count(points.length, "reading")
        }; a smaller --highest`,
      );
    }
    const found = judgeRates(points, options.schedule);
    if (out !== undefined) await writeFileAtomically(out, new TextEncoder().encode(curve(found)));
    console.log(json ? JSON.stringify(found) : lines(found, out).map((line) => printable(line)).join("\n"));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

/** The loss over the rate, on a logarithmic axis. */
function curve({ points }: FoundRate): string {
  return lineChart({
    label: "Training loss over the learning rate",
    series: [{ name: "loss", points: points.map(({ lr, loss }) => [lr, loss] as const), colour: 0 }],
    x: "learning rate",
    logarithmic: true,
  }, PICTURE);
}

/** The curve as rows of bars, and what it says. */
function lines({ points, lowest, edge, suggested }: FoundRate, out: string | undefined): string[] {
  const most = Math.max(...points.map(({ loss }) => Math.min(loss, 2 * points[0]!.loss)));
  return [
    ...points.map(({ lr, loss }) =>
      `${lr.toExponential(1).padStart(8)}  ${loss.toFixed(4).padStart(8)}  ` +
      "█".repeat(Math.round(40 * Math.min(1, loss / most)))
    ),
    `Of ${count(points.length, "reading")} the loss was lowest at a learning rate of ${
      lowest.toPrecision(2)
    } and low up ` +
    `to ${edge.toPrecision(2)}.`,
    ...out === undefined ? [] : [`The curve is in ${out}.`],
    `As the highest rate of a run: --lr ${suggested}`,
  ];
}
