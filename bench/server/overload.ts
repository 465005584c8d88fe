/**
 * `deno run -A bench/server/overload.ts`: what becomes of a server that is asked for more than it can do. Measures its capacity, its
 * latency when it has time, then asks for a multiple of the capacity, and again for little from two seconds after the last of those
 * requests on. Prints what came of it, and whether it is what was wanted, as JSON.
 * @module
 */
import { delay } from "@std/async/delay";
import { flag, parseOrExit } from "../../commands/cli/args.ts";
import { type LoadResult, makeRequests, runLoad } from "./load_generator.ts";
import { meanMB, ServerProcess, watchMemory } from "./server_process.ts";

/** What a request may end as when there are too many. */
const ACCEPTABLE = ["200", "429", "504"];

/** How long the server may take to be as it was. */
const RECOVERY_MS = 2000;

const flags = parseOrExit(Deno.args, {
  name: "deno run -A bench/server/overload.ts",
  summary: "Overloads a server and prints whether it held and recovered as JSON.",
  flags: {
    checkpoint: flag.path({ help: "the model", value: "PATH", required: true }),
    mode: flag.choice(["photo", "tensor"], { help: "what to send", default: "photo" }),
    photos: flag.path({ help: "folder of photos, for --mode photo", value: "DIR" }),
    times: flag.float({ help: "the overload, in capacities", default: 5, min: 1 }),
    calm: flag.float({ help: "the load before and after, in capacities", default: 0.3, min: 0.01, max: 1 }),
    concurrency: flag.int({
      help: "requests under way at most; those beyond it are not sent, but counted",
      default: 4096,
      min: 1,
    }),
    seconds: flag.float({ help: "how long the overload lasts", default: 60, min: 1, max: 600 }),
    calmSeconds: flag.float({ help: "how long the load before and after lasts", default: 10, min: 1 }),
  },
});

await using server = await ServerProcess.serve({ flags: ["--checkpoint", flags.checkpoint] });
const { url, pid } = server;
const request = await makeRequests({ ...flags, url });
const send = (rate: number, seconds: number) =>
  runLoad({ url, request, concurrency: flags.concurrency, rate, seconds });

await runLoad({ url, request, concurrency: 64, seconds: 3 }); // compiled code is what has a capacity
const { throughput: capacity } = await runLoad({ url, request, concurrency: 64, seconds: flags.calmSeconds });
const before = await send(flags.calm * capacity, flags.calmSeconds);

using memory = watchMemory(pid, 250);
const ending = send(flags.times * capacity, flags.seconds);
// Counted from the last request that was sent, not from the last that was answered.
await delay(flags.seconds * 1000 + RECOVERY_MS);
const after = await send(flags.calm * capacity, flags.calmSeconds);
const overload = await ending;
memory[Symbol.dispose]();

const during = memory.samples.filter(({ seconds }) => seconds <= flags.seconds);
const secondQuarterMB = meanMB(during, 0.25, 0.5), lastQuarterMB = meanMB(during, 0.75, 1);
const [p99Before, p99After] = [before, after].map(({ latency }) => latency?.p99 ?? Infinity) as [
  number,
  number,
];
const brief = ({ requests, throughput, latency, codes, notSent }: LoadResult) => ({
  requests,
  throughput,
  latency,
  codes,
  notSent,
});
console.log(JSON.stringify({
  mode: flags.mode,
  capacity,
  rate: flags.times * capacity,
  before: brief(before),
  overload: brief(overload),
  after: brief(after),
  memoryMB: {
    secondQuarter: secondQuarterMB,
    lastQuarter: lastQuarterMB,
    tenths: Array.from({ length: 10 }, (_, i) => meanMB(during, i / 10, (i + 1) / 10)),
  },
  held: {
    everyRequestEndedWell: Object.keys(overload.codes).every((code) => ACCEPTABLE.includes(code)),
    /** Within a twentieth. */
    memoryFlat: lastQuarterMB! <= secondQuarterMB! * 1.05,
    /** Within a half, or ten milliseconds where that is more: what two calm runs may differ by. */
    p99BackToNormal: p99After <= Math.max(p99Before * 1.5, p99Before + 10),
  },
}));
