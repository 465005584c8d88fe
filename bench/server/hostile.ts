/**
 * `deno run -A bench/server/hostile.ts`: sends requests that mean harm to a model server on this machine and prints, as JSON, how it
 * answered, what memory it took, and whether it still answers a normal request.
 * @module
 */
import { Image } from "imagescript";
import { flag, parseOrExit } from "../../commands/cli/args.ts";
import { hostileRequest, KINDS, sendHostile } from "./hostile_requests.ts";
import { residentBytes } from "./server_process.ts";

const flags = parseOrExit(Deno.args, {
  name: "deno run -A bench/server/hostile.ts",
  summary: "Sends hostile requests to a model server on 127.0.0.1 and prints what came of it as JSON.",
  flags: {
    port: flag.int({ help: "the server's port", default: 8000, min: 1, max: 65535 }),
    pid: flag.int({ help: "the server's process, to read its memory", required: true, min: 1 }),
    requests: flag.int({ help: "how many", default: 10_000, min: 1, max: 1_000_000 }),
    concurrency: flag.int({ help: "at one time", default: 16, min: 1, max: 512 }),
    seed: flag.int({ help: "which requests", default: 1 }),
    patienceMs: flag.int({ help: "how long silent clients stay", default: 1000, min: 1 }),
  },
});

const hostname = "127.0.0.1";
const url = `http://${hostname}:${flags.port}`;
const photo = new Image(320, 240).fill(0x3060a0ff);
const seeds = { jpeg: new Uint8Array(await photo.encodeJPEG(90)), png: new Uint8Array(await photo.encode()) };
const { name, preprocess } = await (await fetch(`${url}/model`)).json();

const resting = await residentBytes(flags.pid);
let highest = resting;
const watch = setInterval(
  async () => highest = Math.max(highest, await residentBytes(flags.pid).catch(() => 0)),
  50,
);
const statuses: Record<string, Record<string, number>> = Object.fromEntries(KINDS.map((kind) => [kind, {}]));
let next = 0;
const started = performance.now();
await Promise.all(Array.from({ length: flags.concurrency }, async () => {
  while (next < flags.requests) {
    const request = hostileRequest(next++, flags.seed, seeds, name, preprocess.height);
    const status = await sendHostile(request, { hostname, port: flags.port, patienceMs: flags.patienceMs });
    const counts = statuses[request.kind]!;
    counts[status ?? "none"] = (counts[status ?? "none"] ?? 0) + 1;
  }
}));
clearInterval(watch);
const seconds = (performance.now() - started) / 1000;
const normal = await fetch(`${url}/predict`, { method: "POST", body: seeds.jpeg });
await normal.body?.cancel();
console.log(JSON.stringify({
  requests: next,
  seconds,
  failures: Object.values(statuses).flatMap((counts) => Object.keys(counts)).filter((code) =>
    /^5/.test(code)
  ),
  restingMB: Math.round(resting / 1e6),
  highestMB: Math.round(highest / 1e6),
  afterMB: Math.round(await residentBytes(flags.pid) / 1e6),
  normalRequest: normal.status,
  statuses,
}));
