/**
 * `deno run -A --config tests/packages/deno.json tests/packages/fuzz.ts`: sends generated requests to a server process on this machine and
 * prints, as JSON, how it answered, what was wrong, and whether its memory grew over the last half. The bench form of `fuzz_test.ts`.
 * @module
 */
import fc from "fast-check";
import { ask, outcomeName } from "../../bench/server/attacks/connection.ts";
import { meanMB, ServerProcess, watchMemory } from "../../bench/server/server_process.ts";
import { flag, parseOrExit } from "../../commands/cli/args.ts";
import { encodePhoto } from "../server/fixture.ts";
import { type FuzzRequest, fuzzRequests, type FuzzTarget, problems, toBytes } from "./fuzz_requests.ts";

const flags = parseOrExit(Deno.args, {
  name: "deno run -A --config tests/packages/deno.json tests/packages/fuzz.ts",
  summary: "Sends generated requests to a server on this machine and prints what came of it as JSON.",
  flags: {
    checkpoint: flag.string({ help: "the model", value: "PATH", required: true }),
    requests: flag.int({ help: "how many", default: 20_000, min: 1 }),
    concurrency: flag.int({ help: "at one time", default: 8, min: 1, max: 256 }),
    seed: flag.int({ help: "which requests", default: 1 }),
  },
  positionals: { name: "SERVER_FLAG" },
});

/** Values drawn at one time: all of them at once would be the bench's own memory. */
const PORTION = 250;

const TOKEN = "s3cret";
const models = ["first", "second"] as const;

await using server = await ServerProcess.serve({
  flags: [
    ...models.flatMap((name) => ["--checkpoint", `${name}=${flags.checkpoint}`]),
    "--token",
    TOKEN,
    ...flags.positionals,
  ],
});
const address = { hostname: server.url.hostname, port: Number(server.url.port) };
const get = async (path: string) => {
  const response = await fetch(new URL(path, server.url), { headers: { authorization: `Bearer ${TOKEN}` } });
  return await response.json();
};
const { version, preprocess } = await get("/model");
const target: FuzzTarget = {
  paths: (await get("/openapi.json")).paths,
  models,
  version,
  size: preprocess.height,
  token: TOKEN,
  photos: [
    await encodePhoto([200, 10, 10], { width: 60, height: 40 }),
    await encodePhoto([10, 200, 10], { width: 320, height: 240, format: "jpeg" }),
  ],
  secrets: [
    await Deno.realPath(flags.checkpoint),
    flags.checkpoint,
    new URL("../../", import.meta.url).pathname,
  ],
};

/** As one may send it again: the body in base64. */
const describe = (request: FuzzRequest) => ({ ...request, body: request.body?.toBase64().slice(0, 2000) });

const statuses: Record<string, number> = {};
/** By route that the server describes. */
const routes: Record<string, Record<string, number>> = {};
const failures: unknown[] = [];
let failed = 0, sent = 0, slowestMs = 0;
const arbitrary = fuzzRequests(target);
function* drawn(): Generator<FuzzRequest> {
  for (let n = 0; n < flags.requests; n += PORTION) {
    const numRuns = Math.min(PORTION, flags.requests - n);
    yield* fc.sample(arbitrary, { numRuns, seed: flags.seed + n });
  }
}

using memory = watchMemory(server.pid, 250);
const started = performance.now();
const requests = drawn();
await Promise.all(Array.from({ length: flags.concurrency }, async () => {
  for (const request of { [Symbol.iterator]: () => ({ next: () => requests.next() }) }) {
    sent++;
    const bytes = toBytes(request);
    const { outcome, milliseconds } = await ask(address, bytes, 60_000, request.method === "HEAD");
    slowestMs = Math.max(slowestMs, Math.round(milliseconds));
    const status = outcomeName(outcome);
    statuses[status] = (statuses[status] ?? 0) + 1;
    if (request.route in target.paths) {
      const counts = routes[request.route] ??= {};
      counts[status] = (counts[status] ?? 0) + 1;
    }
    const wrong = problems(request, outcome, target);
    if (wrong.length > 0 && failed++ < 20) failures.push({ wrong, request: describe(request) });
  }
}));
const seconds = (performance.now() - started) / 1000;
memory[Symbol.dispose]();
const ready = await get("/v2/models/first/ready");
const tenths = Array.from({ length: 10 }, (_, i) => meanMB(memory.samples, i / 10, (i + 1) / 10));
const [third, last] = [meanMB(memory.samples, 0.5, 0.75), meanMB(memory.samples, 0.75, 1)];
console.log(JSON.stringify({
  requests: sent,
  seconds,
  statuses,
  routes,
  slowestMs,
  failed,
  failures,
  defaultModelReady: ready.ready,
  memoryMB: { tenths, thirdQuarter: third, lastQuarter: last },
  held: {
    nothingWrong: failed === 0,
    /** Within a twentieth: what two quarters of a calm server differ by. */
    memoryFlat: last! <= third! * 1.05,
  },
}));
