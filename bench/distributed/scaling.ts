/**
 * One rank on one core against two ranks with one core each, and what the cost model of docs/distributed.md says:
 * `deno run -A bench/distributed/scaling.ts`. Needs two cores that nothing else uses.
 */
import { join } from "@std/path";
import { flag, parseOrExit } from "../../commands/cli/args.ts";
import { ensureShapes } from "../../data/shapes/shapes.ts";
import { ENV, type LauncherName, LAUNCHERS, plain, TRAIN } from "./launch.ts";

const flags = parseOrExit(Deno.args, {
  name: "scaling",
  summary: "Times steps of one rank on one core and of two ranks on a core each.",
  flags: {
    launcher: flag.choice(Object.keys(LAUNCHERS) as LauncherName[], {
      help: "whose mpirun",
      default: "openmpi",
    }),
    model: flag.string({ help: "architecture", default: "compact" }),
    batchSize: flag.int({ help: "images of a micro-batch", default: 32, min: 1 }),
    accumulate: flag.int({ help: "batches of a micro-batch", default: 1, min: 1 }),
    steps: flag.int({ help: "steps of a run", default: 40, min: 4 }),
    rounds: flag.int({ help: "times that each is measured, in turn", default: 3, min: 1 }),
    fastReduce: flag.boolean({ help: "MPI's own all-reduce" }),
  },
});

const { model, batchSize, accumulate, steps, rounds } = flags;
const dir = await Deno.makeTempDir({ prefix: "scaling-" });
const images = 2 * batchSize * accumulate * 2;
const data = await ensureShapes(join(dir, "shapes"), {
  seed: 3,
  counts: { train: images, valid: 4, test: 4 },
});
const options = [
  ...["--data", data, "--cache", join(dir, "cache"), "--workers", "1", "--json", "--model", model],
  ...[
    "--size",
    "224",
    "--batch-size",
    `${batchSize}`,
    "--accumulate",
    `${accumulate}`,
    "--steps",
    `${steps}`,
  ],
];

/** Images a second over all epochs but the first two, in which kernels compile. */
async function rateOf(command: Deno.Command): Promise<{ rate: number; parameters: number }> {
  const { success, stdout, stderr } = await command.output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  const events = new TextDecoder().decode(stdout).split("\n").filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line));
  const rates = events.filter(({ event }) => event === "epoch").slice(2).map((e) => e.imagesPerSecond);
  const { parameters } = events.find(({ event }) => event === "start");
  return { rate: rates.length / rates.reduce((sum, rate) => sum + 1 / rate, 0), parameters };
}

const [program, ...own] = LAUNCHERS[flags.launcher];
/** Two ranks, each on a core of its own. */
function pinned(args: readonly string[]): Deno.Command {
  const rank = (core: number) => ["-n", "1", "taskset", "-c", `${core}`, Deno.execPath(), ...args];
  return new Deno.Command(program, {
    args: [...own, ...rank(0), ":", ...rank(1)],
    ...{ env: { ...ENV, LP_NUM_THREADS: "1" }, stdout: "piped", stderr: "piped" },
  });
}

const median = (values: number[]) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
const one: number[] = [], two: number[] = [];
let parameters = 0;
for (let round = 0; round < rounds; round++) {
  const out = (name: string) => ["--out", join(dir, `${name}-${round}`)];
  const single = plain([...TRAIN, ...options, ...out("one")], [
    "env",
    "LP_NUM_THREADS=1",
    "taskset",
    "-c",
    "0",
  ]);
  const alone = await rateOf(single);
  parameters = alone.parameters;
  one.push(alone.rate);
  const more = ["--micro-batches", "2", "--distributed", ...flags.fastReduce ? ["--fast-reduce"] : []];
  two.push((await rateOf(pinned([...TRAIN, ...options, ...out("two"), ...more]))).rate);
}
const wire = new URL("./wire.ts", import.meta.url).pathname, megabytes = parameters * 4 / 1e6;
const { stdout } = await pinned(["run", "-A", wire, `${megabytes}`]).output();
const exchange = JSON.parse(new TextDecoder().decode(stdout).trim().split("\n").at(-1)!).seconds;
const share = batchSize * accumulate, compute = share / median(one), step = 2 * share / median(two);
console.log(JSON.stringify(
  {
    ...{ model, batchSize, accumulate, load: Deno.loadavg(), one: median(one), two: median(two) },
    efficiency: median(two) / (2 * median(one)),
    secondsOfStep: { one: compute, two: step, exchange, model: compute + exchange },
    aboveModel: step / (compute + exchange) - 1,
    waitingAndCommunication: 1 - compute / step,
  },
  null,
  2,
));
await Deno.remove(dir, { recursive: true });
