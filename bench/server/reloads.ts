/**
 * `deno run -A bench/server/reloads.ts`: reloads a model again and again under load and prints, as JSON, how requests ended, how long they
 * took, and what memory the process and the device held meanwhile.
 * @module
 */
import { delay } from "@std/async/delay";
import { flag, parseOrExit } from "../../commands/cli/args.ts";
import { makeRequests, runLoad } from "./load_generator.ts";
import { residentBytes, ServerProcess } from "./server_process.ts";

const flags = parseOrExit(Deno.args, {
  name: "deno run -A bench/server/reloads.ts",
  summary: "Reloads a model under load and prints what came of it as JSON.",
  flags: {
    checkpoint: flag.path({ help: "the model", value: "PATH", required: true }),
    mode: flag.choice(["photo", "tensor"], { help: "what to send", default: "photo" }),
    to: flag.path({ help: "a model that takes its place with the first reload", value: "PATH" }),
    photos: flag.path({ help: "folder of photos, for --mode photo", value: "DIR" }),
    reloads: flag.int({ help: "how many", default: 200, min: 1 }),
    samples: flag.int({ help: "how often memory is looked at", default: 20, min: 1 }),
    concurrency: flag.int({ help: "clients", default: 4, min: 1 }),
    rate: flag.float({
      help:
        "requests per second, sent whether or not earlier ones are answered; default: each client one after the other",
    }),
    restMs: flag.int({ help: "pause before each reload", default: 0, min: 0 }),
  },
});

const folder = await Deno.makeTempDir();
const path = `${folder}/model.safetensors`;
await Deno.copyFile(flags.checkpoint, path);
await using server = await ServerProcess.serve({
  flags: ["--checkpoint", `model=${path}`, "--watch-ms", "0", "--repository-api"],
});
const { url, pid } = server;

/** A metric's value by its name in /metrics. */
async function metric(name: string): Promise<number> {
  const text = await (await fetch(new URL("/metrics", url))).text();
  return Number(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, "m").exec(text)?.[1] ?? NaN);
}

async function look(reloads: number) {
  return {
    reloads,
    residentMB: Math.round(await residentBytes(pid) / 1e6),
    deviceMB: Math.round(await metric("alexnet_device_memory_bytes") / 1e5) / 10,
  };
}

const request = await makeRequests({ ...flags, url });
const done = new AbortController();
const loading = runLoad({ ...flags, url, request, seconds: Infinity, signal: done.signal });

const memory = [], reloadSeconds: number[] = [];
const reloadCodes: Record<string, number> = {};
const every = Math.max(1, Math.floor(flags.reloads / flags.samples));
const started = performance.now();
for (let i = 0; i < flags.reloads; i++) {
  if (i % every === 0) memory.push(await look(i));
  await delay(flags.restMs);
  if (i === 0 && flags.to !== undefined) await Deno.copyFile(flags.to, path);
  const began = performance.now();
  const { status, body } = await fetch(new URL("/v2/repository/models/model/load", url), { method: "POST" });
  await body?.cancel();
  reloadSeconds.push((performance.now() - began) / 1000);
  reloadCodes[status] = (reloadCodes[status] ?? 0) + 1;
}
const seconds = (performance.now() - started) / 1000;
memory.push(await look(flags.reloads));
done.abort();
const { codes, latency } = await loading;
await delay(2000); // what was replaced last is freed when its requests are answered
const afterwards = await look(flags.reloads);
console.log(JSON.stringify({
  mode: flags.mode,
  seconds,
  reloadCodes,
  longestReloadSeconds: Math.max(...reloadSeconds),
  codes,
  milliseconds: latency,
  noRequestFailed: Object.keys(codes).every((code) => code === "200"),
  loadedTimes: await metric("alexnet_model_loads_total"),
  memory,
  afterwards,
}));
await Deno.remove(folder, { recursive: true });
