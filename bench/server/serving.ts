/**
 * `deno task bench:serving`: our server and TensorFlow.js' WebGPU backend behind a minimal handler, with the same weights, photos,
 * decoder, adapter and load, in turn. Prints throughputs, latencies and how far the answers agree as JSON.
 * @module
 */
import { fromFileUrl } from "@std/path";
import { flag, parseOrExit } from "../../commands/cli/args.ts";
import { median } from "../../engine/profile.ts";
import { freePort, loadProcess, ServerProcess } from "./server_process.ts";
import { walkPhotos } from "../steps/photo_data.ts";

const flags = parseOrExit(Deno.args, {
  name: "deno task bench:serving",
  summary: "Compares our server with one on TensorFlow.js and prints what came of it as JSON.",
  flags: {
    checkpoint: flag.path({
      help: "the model, of an architecture that is a chain of convolutions, poolings and linear layers",
      value: "PATH",
      required: true,
    }),
    photos: flag.path({ help: "folder of photos", value: "DIR", required: true }),
    maxPhotos: flag.int({ help: "how many of them to use", default: 64, min: 1 }),
    concurrency: flag.int({ help: "clients", default: 32, min: 1 }),
    rounds: flag.int({ help: "how often each has its turn", default: 3, min: 1 }),
    seconds: flag.float({ help: "how long a turn is", default: 10, min: 1, max: 600 }),
  },
});

const file = (path: string) => fromFileUrl(new URL(path, import.meta.url));

/** The peer knows its libraries from a configuration of its own. */
async function startPeer(): Promise<ServerProcess> {
  const port = freePort();
  const script = ["--config", file("../peers/deno.json"), file("../peers/serving_tfjs.ts")];
  return await ServerProcess.start(["--quiet", "-A", ...script, flags.checkpoint, `${port}`], port);
}

await using ours = await ServerProcess.serve({ flags: ["--checkpoint", flags.checkpoint] });
await using peer = await startPeer();
const servers = { ours, peer };

interface Answer {
  readonly class: string;
  readonly probability: number;
}

/** Every photo once, one after the other: whatever compiles does so here. */
async function answers({ url }: ServerProcess): Promise<Answer[]> {
  const found: Answer[] = [];
  for (const body of await walkPhotos(flags.photos, flags.maxPhotos)) {
    const response = await fetch(new URL("/predict", url), { method: "POST", body });
    if (!response.ok) throw new Error(`Cannot compare: ${url} answered ${await response.text()}`);
    found.push(await response.json());
  }
  return found;
}

const [mine, theirs] = [await answers(ours), await answers(peer)];
const load = [
  "--photos",
  flags.photos,
  "--max-photos",
  `${flags.maxPhotos}`,
  "--concurrency",
  `${flags.concurrency}`,
];
for (const { url } of Object.values(servers)) await loadProcess(url, ...load, "--seconds", "2");
const rounds = { ours: [], peer: [] } as Record<
  keyof typeof servers,
  { throughput: number; p50: number; p99: number }[]
>;
const codes: Record<string, number> = {};
for (let round = 0; round < flags.rounds; round++) {
  for (const name of ["ours", "peer"] as const) {
    const result = await loadProcess(servers[name].url, ...load, "--seconds", `${flags.seconds}`);
    const { p50, p99 } = result.latency ?? { p50: Infinity, p99: Infinity };
    rounds[name].push({ throughput: result.throughput, p50, p99 });
    for (const [code, count] of Object.entries(result.codes)) {
      codes[`${name} ${code}`] = (codes[`${name} ${code}`] ?? 0) + count;
    }
  }
}

const summary = (name: keyof typeof servers) => ({
  throughput: median(rounds[name].map((round) => round.throughput)),
  p50: median(rounds[name].map((round) => round.p50)),
  p99: median(rounds[name].map((round) => round.p99)),
});
const [ourSummary, peerSummary] = [summary("ours"), summary("peer")];
console.log(JSON.stringify({
  concurrency: flags.concurrency,
  rounds: flags.rounds,
  seconds: flags.seconds,
  ours: ourSummary,
  peer: peerSummary,
  throughputRatio: ourSummary.throughput / peerSummary.throughput,
  p50Ratio: peerSummary.p50 / ourSummary.p50,
  /** Share of photos of which both say the same class: the resizing differs a little. */
  agreement: mine.filter((answer, i) => answer.class === theirs[i]!.class).length / mine.length,
  codes,
}));
