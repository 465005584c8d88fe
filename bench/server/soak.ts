/**
 * `deno run -A bench/server/soak.ts`: a long time at a steady share of a server's capacity while checkpoints are replaced and broken, decoders
 * and devices end, and hostile requests come in between. Prints, as JSON, requests that were lost, memory over the time, and what the log
 * says beside the faults that there were.
 * @module
 */
import { delay } from "@std/async/delay";
import { Image } from "imagescript";
import { flag, parseOrExit } from "../../commands/cli/args.ts";
import { type Answer, ask, outcomeName, requestBytes, type Silence } from "./attacks/connection.ts";
import { type Fault, FAULTS } from "./faults.ts";
import { hostileRequest, sendHostile } from "./hostile_requests.ts";
import { percentiles, runLoad } from "./load_generator.ts";
import { meanMB, ServerProcess, watchMemory } from "./server_process.ts";

const flags = parseOrExit(Deno.args, {
  name: "deno run -A bench/server/soak.ts",
  summary: "Serves under load and faults for a long time and prints what came of it as JSON.",
  flags: {
    checkpoint: flag.path({ help: "the model", value: "PATH", required: true }),
    minutes: flag.float({ help: "how long", default: 20, min: 0.1 }),
    share: flag.float({ help: "the load, in capacities", default: 0.8, min: 0.01, max: 1 }),
    faultSeconds: flag.float({ help: "time from one fault to the next", default: 6, min: 4 }),
    garbage: flag.float({ help: "hostile requests a second", default: 4, min: 0.1 }),
  },
  positionals: { name: "SERVER_FLAG" },
});

/** What an honest client waits; longer than the server gives itself. */
const PATIENCE_MS = 30_000;

const image = new Image(320, 240).fill(0x3060a0ff);
const seeds = { jpeg: new Uint8Array(await image.encodeJPEG(90)), png: new Uint8Array(await image.encode()) };
const folder = await Deno.makeTempDir();
const path = `${folder}/model.safetensors`;
const checkpoint = await Deno.readFile(flags.checkpoint);
await Deno.writeFile(path, checkpoint);

/** Lines of the server's log by level and message. */
const logLines: Record<string, number> = {};
const count = (counts: Record<string, number>, key: string) => counts[key] = (counts[key] ?? 0) + 1;
const onLine = (line: string) => {
  try {
    const { level, message, status } = JSON.parse(line);
    count(logLines, `${level}: ${message}${status === undefined ? "" : ` ${status}`}`);
  } catch {
    count(logLines, "not JSON");
  }
};

const latencies: number[] = [];
const codes: Record<string, number> = {}, lost: Record<string, number> = {};
const refusals: Record<string, number> = {};

/** Answered, refused, or lost: nothing came, or a failure that names no reason that clients can act on. */
function judge(outcome: Answer | Silence, milliseconds: number): void {
  const name = outcomeName(outcome);
  count(codes, name);
  if (name === "200") return void latencies.push(milliseconds);
  const text = typeof outcome === "string" ? "" : new TextDecoder().decode(outcome.body);
  const reason = /^\{"error":"(.+)"\}$/.exec(text)?.[1];
  if ((name === "429" || name === "503") && reason !== undefined) count(refusals, `${name}: ${reason}`);
  else count(lost, `${name}: ${reason ?? text.slice(0, 100)}`);
}

/** Sends at a rate until `end`, whether or not earlier ones are answered; resolves when all are. */
async function atRate(perSecond: number, end: number, send: (i: number) => Promise<void>): Promise<number> {
  const running = new Set<Promise<void>>();
  const started = performance.now();
  let i = 0;
  for (; performance.now() < end; i++) {
    await delay(Math.max(0, started + i * 1000 / perSecond - performance.now()));
    const one = send(i).finally(() => running.delete(one));
    running.add(one);
  }
  await Promise.all(running);
  return i;
}

try {
  await using server = await ServerProcess.serve({
    flags: ["--checkpoint", `m=${path}`, ...flags.positionals],
    preload: new URL("device_loss.ts", import.meta.url),
    onLine,
  });
  const { url, pid } = server;
  const target = { hostname: url.hostname, port: Number(url.port) };
  const { preprocess } = await (await fetch(new URL("/model", url))).json();
  const photo = () => ({ path: "/predict", init: { method: "POST", body: seeds.jpeg } });
  await runLoad({ url, request: photo, concurrency: 32, seconds: 3 }); // compiled code is what has a capacity
  const { throughput: capacity } = await runLoad({ url, request: photo, concurrency: 32, seconds: 6 });

  using memory = watchMemory(pid, 1000);
  const request = requestBytes("POST", "/predict", { headers: { Connection: "close" }, body: seeds.jpeg });
  const end = performance.now() + flags.minutes * 60_000;
  const honest = atRate(flags.share * capacity, end, async () => {
    const { outcome, milliseconds } = await ask(target, request, PATIENCE_MS);
    judge(outcome, milliseconds);
  });
  const garbage: Record<string, number> = {};
  const hostile = atRate(flags.garbage, end, async (i) => {
    const status = await sendHostile(hostileRequest(i, 1, seeds, "m", preprocess.height), {
      ...target,
      patienceMs: 1000,
    }).catch(() => undefined);
    count(garbage, String(status ?? "none"));
  });
  const faults: Record<string, number> = {};
  const names = Object.keys(FAULTS) as Fault[];
  for (let i = 0; performance.now() + flags.faultSeconds * 1000 < end; i++) {
    const name = names[i % names.length]!;
    const next = performance.now() + flags.faultSeconds * 1000;
    await FAULTS[name]({ server, path, checkpoint });
    count(faults, name);
    await delay(Math.max(0, next - performance.now()));
  }
  const requests = await honest;
  await hostile;
  memory[Symbol.dispose]();
  const tenths = Array.from({ length: 10 }, (_, i) => meanMB(memory.samples, i / 10, (i + 1) / 10));
  const ended = server.code ?? null;
  const exitCode = await server.stop();
  const linesOfDecoders = Object.entries(logLines).filter(([line]) => /decod/i.test(line));
  console.log(JSON.stringify({
    minutes: flags.minutes,
    capacity,
    rate: flags.share * capacity,
    requests,
    codes,
    latency: latencies.length === 0 ? null : percentiles(latencies),
    refusals,
    lost,
    garbage,
    faults,
    logLines,
    memoryMB: tenths,
    ended,
    exitCode,
    held: {
      nothingLost: Object.keys(lost).length === 0,
      /** The last half against the tenths before it, within a tenth: reloads let the allocator find its size first. */
      memoryFlat:
        Math.max(...tenths.slice(5).map(Number)) <= 1.1 * Math.max(...tenths.slice(2, 5).map(Number)),
      aLineForEachDeviceLost: logLines["error: device lost"] === faults["device lost"],
      /** Hostile photos end decoders, too. */
      aLineForEachDecoderKilled: linesOfDecoders.reduce((sum, [, lines]) => sum + lines, 0) >=
        (faults["decoder killed"] ?? 0),
      aLineForEachBrokenCheckpoint:
        logLines["error: model not loaded"] === faults["checkpoint broken, then mended"],
    },
  }));
} finally {
  await Deno.remove(folder, { recursive: true });
}
