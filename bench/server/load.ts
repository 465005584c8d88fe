/**
 * `deno run -A bench/server/load.ts`: puts load on a model server that runs on this machine and prints what came of it as JSON.
 * @module
 */
import { flag, parseOrExit } from "../../commands/cli/args.ts";
import { makeRequests, MODES, runLoad } from "./load_generator.ts";

const flags = parseOrExit(Deno.args, {
  name: "deno run -A bench/server/load.ts",
  summary:
    "Puts load on a model server on this machine and prints throughput, latencies and statuses as JSON.",
  flags: {
    url: flag.string({ help: "the server", default: "http://127.0.0.1:8000" }),
    mode: flag.choice(MODES, { help: "what to send", default: "photo" }),
    photos: flag.path({ help: "folder of photos, at any depth, for --mode photo", value: "DIR" }),
    maxPhotos: flag.int({ help: "how many of them to use", default: 64, min: 1 }),
    path: flag.string({ help: "what to ask for with --mode get", default: "/health" }),
    batch: flag.int({ help: "inputs in each tensor request", default: 1, min: 1 }),
    concurrency: flag.int({
      help: "clients, or requests under way with --rate",
      default: 8,
      min: 1,
      max: 4096,
    }),
    seconds: flag.float({ help: "how long", default: 10, min: 0.1, max: 600 }),
    maxRequests: flag.int({ help: "requests at most", min: 1 }),
    rate: flag.float({ help: "requests per second, answered or not", min: 0.01 }),
    pauseMs: flag.float({ help: "pause of each client after an answer", default: 0, min: 0 }),
    token: flag.string({ help: "bearer token" }),
  },
});

const url = new URL(flags.url);
const headers: Record<string, string> = flags.token === undefined
  ? {}
  : { authorization: `Bearer ${flags.token}` };
try {
  const request = await makeRequests({ ...flags, url, headers });
  const result = await runLoad({ ...flags, url, request });
  const { mode, concurrency, rate = null } = flags;
  console.log(JSON.stringify({ mode, concurrency, rate, ...result }));
} catch (error) {
  console.error(`load: ${(error as Error).message}`);
  Deno.exit(2);
}
