/**
 * `deno run -A bench/server/batching.ts`: what batching brings. Starts the server once for each `--max-batch`, puts the same load on
 * each from a process of its own while it asks for /health, and prints, as JSON, both and the ratio of their throughputs.
 * @module
 */
import { flag, parseOrExit } from "../../commands/cli/args.ts";
import { runLoad } from "./load_generator.ts";
import { loadProcess, ServerProcess } from "./server_process.ts";

const flags = parseOrExit(Deno.args, {
  name: "deno run -A bench/server/batching.ts",
  summary: "Compares the server with and without batching and prints what came of it as JSON.",
  flags: {
    checkpoint: flag.path({ help: "the model", value: "PATH", required: true }),
    mode: flag.choice(["photo", "tensor"], { help: "what to send", default: "photo" }),
    photos: flag.path({ help: "folder of photos, for --mode photo", value: "DIR" }),
    maxBatch: flag.int({ help: "the batch that is compared with 1", default: 32, min: 2 }),
    concurrency: flag.int({ help: "clients", default: 64, min: 1 }),
    seconds: flag.float({ help: "how long for each", default: 60, min: 1, max: 600 }),
    probeMs: flag.float({ help: "pause between two questions for /health", default: 20, min: 0 }),
  },
});

const load = ["--mode", flags.mode, "--concurrency", `${flags.concurrency}`];
if (flags.photos !== undefined) load.push("--photos", flags.photos);

/** Throughput and latencies of the load, and of the probe while it lasts. */
async function measure(maxBatch: number) {
  await using server = await ServerProcess.serve({
    flags: ["--checkpoint", flags.checkpoint, "--max-batch", `${maxBatch}`],
  });
  await loadProcess(server.url, ...load, "--seconds", "2"); // compiled code is what is compared
  const { url } = server;
  const loading = loadProcess(url, ...load, "--seconds", `${flags.seconds}`);
  const probing = runLoad({
    url,
    request: () => ({ path: "/health" }),
    concurrency: 1,
    seconds: flags.seconds,
    pauseMs: flags.probeMs,
  });
  const [{ throughput, latency, codes }, health] = await Promise.all([loading, probing]);
  return { maxBatch, throughput, latency, codes, health: health.latency, healthCodes: health.codes };
}

const single = await measure(1);
const batched = await measure(flags.maxBatch);
const { mode, concurrency, seconds } = flags;
console.log(JSON.stringify({
  mode,
  concurrency,
  seconds,
  ratio: batched.throughput / single.throughput,
  single,
  batched,
}));
