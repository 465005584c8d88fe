/** `deno task tune`: measures which tiles suit this adapter and keeps the winners for train, serve and the others. */
import { flag, parseOrExit } from "./cli/args.ts";
import { runCommand } from "./cli/failures.ts";
import { requireModel, requireSize, sizeFlag } from "./cli/size.ts";
import { Gpu } from "../engine/gpu.ts";
import { TILE_FILE, tileAdapter } from "../model/tuned_gpu.ts";
import { architecture, ARCHITECTURES } from "../model/architectures/registry.ts";
import type { Clock } from "../engine/profile.ts";
import { milliseconds, prepare, type Product, Workload } from "./tuning/products.ts";
import { durationText, progressText, tuningText } from "./tuning/report.ts";
import { keepWinners, requireWritable } from "./tuning/tile_file.ts";
import { tune } from "./tuning/search.ts";

const NAME = "deno task tune";

const flags = parseOrExit(Deno.args, {
  name: NAME,
  summary:
    "Measures which tiles of the matrix products are fastest on this machine's GPU and keeps them in a file.",
  usesGpu: true,
  flags: {
    model: flag.string({
      help: `one of ${Object.keys(ARCHITECTURES).join(", ")}`,
      default: "compact",
      value: "NAME",
    }),
    batchSize: flag.int({
      help: "images in a batch; every size has its own products",
      default: 32,
      min: 1,
      max: 1024,
    }),
    size: sizeFlag("the model's own"),
    classes: flag.int({ help: "classes of the last layer", default: 1000, min: 1, max: 100_000 }),
    inference: flag.boolean({ help: "only what inference needs" }),
    minutes: flag.float({
      help: "stop after so long, as Ctrl-C does: what was found until then is kept",
      default: 3,
      min: 0.01,
      max: 1440,
    }),
    file: flag.path({ help: "where the winners are kept", default: TILE_FILE, value: "FILE" }),
    json: flag.boolean({ help: "print one JSON object" }),
  },
});

await runCommand(NAME, async () => {
  requireModel(flags.model);
  const { classes, size } = flags;
  requireSize(size, [flags.model]);
  const network = architecture(flags.model, { classes, ...(size === undefined ? {} : { size }) });
  using gpu = await Gpu.request();
  const say = flags.json ? () => {} : console.log;
  const note = (text: string) => console.error(text);
  // A file that cannot be written should be known before the search.
  await requireWritable(flags.file);
  using workload = await Workload.create(gpu, network, {
    batch: flags.batchSize,
    training: !flags.inference,
  });
  const { products } = workload;
  const clock = await clockOf(gpu, products[0]!);
  const most = durationText(flags.minutes * 60);
  say(`${gpu.name}: ${products.length} products, the longest first, for at most ${most}`);
  const tuning = await tune(gpu, products, {
    clock,
    maxSeconds: flags.minutes * 60,
    signal: interrupted(),
    onProduct: (outcome, done) => say(progressText(outcome, done, products.length)),
  });
  const table = await keepWinners(gpu, flags.file, tuning.outcomes, note);
  if (flags.json) {
    console.log(
      JSON.stringify({ adapter: tileAdapter(gpu), file: flags.file, table: table.id, clock, ...tuning }),
    );
  } else {
    console.log(["", ...tuningText(tuning, table, flags.file)].join("\n"));
  }
});

/** Aborts at the first interrupt, which ends the search but not the program; a second one ends it. */
function interrupted(): AbortSignal {
  const controller = new AbortController();
  const onInterrupt = () => {
    Deno.removeSignalListener("SIGINT", onInterrupt);
    controller.abort();
  };
  Deno.addSignalListener("SIGINT", onInterrupt);
  return controller.signal;
}

/** The device's clock where it runs at all: only ratios count here, so its unit does not matter. */
async function clockOf(gpu: Gpu, product: Product): Promise<Clock> {
  if (!gpu.device.features.has("timestamp-query")) return "wall";
  using prepared = await prepare(gpu, product, product.choice);
  const [time] = await milliseconds([prepared], "timestamp", 3);
  return time! > 0 ? "timestamp" : "wall";
}
