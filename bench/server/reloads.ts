/**
 * `deno run -A bench/server/reloads.ts`: reloads a model again and again under load and prints, as JSON, how requests ended and what memory
 * the process and the device held meanwhile.
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
    checkpoint: flag.string({ help: "the model", value: "PATH", required: true }),
    mode: flag.choice(["photo", "tensor"], { help: "what to send", default: "photo" }),
    photos: flag.string({ help: "folder of photos, for --mode photo", value: "DIR" }),
    reloads: flag.int({ help: "how many", default: 200, min: 1 }),
    samples: flag.int({ help: "how often memory is looked at", default: 20, min: 1 }),
    concurrency: flag.int({ help: "clients", default: 4, min: 1 }),
  },
});

await using server = await ServerProcess.serve({
  flags: ["--checkpoint", `model=${flags.checkpoint}`, "--watch-ms", "0"],
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
let done = false;
const loading = (async () => {
  const codes: Record<string, number> = {};
  while (!done) {
    const part = await runLoad({ url, request, concurrency: flags.concurrency, seconds: 1 });
    for (const [code, count] of Object.entries(part.codes)) codes[code] = (codes[code] ?? 0) + count;
  }
  return codes;
})();

const memory = [];
const reloadCodes: Record<string, number> = {};
const every = Math.max(1, Math.floor(flags.reloads / flags.samples));
const started = performance.now();
for (let i = 0; i < flags.reloads; i++) {
  if (i % every === 0) memory.push(await look(i));
  const { status, body } = await fetch(new URL("/v2/repository/models/model/load", url), { method: "POST" });
  await body?.cancel();
  reloadCodes[status] = (reloadCodes[status] ?? 0) + 1;
}
const seconds = (performance.now() - started) / 1000;
memory.push(await look(flags.reloads));
done = true;
const codes = await loading;
await delay(2000); // what was replaced last is freed when its requests are answered
const afterwards = await look(flags.reloads);
console.log(JSON.stringify({
  mode: flags.mode,
  seconds,
  reloadCodes,
  codes,
  noRequestFailed: Object.keys(codes).every((code) => code === "200"),
  loadedTimes: await metric("alexnet_model_loads_total"),
  memory,
  afterwards,
}));
