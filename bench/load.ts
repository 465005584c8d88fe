/**
 * `deno run -A bench/load.ts`: puts load on a model server that runs on this machine and prints what came of it as JSON.
 * @module
 */
import { walkPhotos } from "./photos.ts";
import { flag, parseOrExit } from "../cli/args.ts";
import { runLoad } from "./load_generator.ts";

const MODES = ["photo", "tensor", "tensor-json", "get"] as const;

const flags = parseOrExit(Deno.args, {
  name: "deno run -A bench/load.ts",
  summary:
    "Puts load on a model server on this machine and prints throughput, latencies and statuses as JSON.",
  flags: {
    url: flag.string({ help: "the server", default: "http://127.0.0.1:8000" }),
    mode: flag.choice(MODES, { help: "what to send", default: "photo" }),
    photos: flag.string({ help: "folder of photos, at any depth, for --mode photo", value: "DIR" }),
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
const { photos: _, ...options } = flags;
const result = await runLoad({ ...options, url, request: await chooseRequest() });
console.log(
  JSON.stringify({ mode: flags.mode, concurrency: flags.concurrency, rate: flags.rate ?? null, ...result }),
);

async function chooseRequest(): Promise<(i: number) => { path: string; init?: RequestInit }> {
  switch (flags.mode) {
    case "get":
      return () => ({ path: flags.path, init: { headers } });
    case "photo": {
      if (flags.photos === undefined) fail("--mode photo needs --photos DIR");
      const photos = await walkPhotos(flags.photos, flags.maxPhotos);
      if (photos.length === 0) fail(`there is no photo in ${flags.photos}`);
      return (i) => ({
        path: "/predict",
        init: { method: "POST", headers, body: photos[i % photos.length]! },
      });
    }
    default: {
      const { name, body, extra } = await tensorRequest();
      const init = { method: "POST", headers: { ...headers, ...extra }, body };
      return () => ({ path: `/v2/models/${name}/infer`, init });
    }
  }
}

/** A tensor of the default model's size, as JSON or in the binary tensor data extension. */
async function tensorRequest() {
  const { name, preprocess: { height, width } } = await (await fetch(new URL("/model", url), { headers }))
    .json();
  const values = new Float32Array(flags.batch * 3 * height * width).map((_, i) => Math.sin(i));
  const input = { name: "input", shape: [flags.batch, 3, height, width], datatype: "FP32" };
  if (flags.mode === "tensor-json") {
    const body = JSON.stringify({ inputs: [{ ...input, data: Array.from(values) }] });
    return { name, body, extra: { "content-type": "application/json" } };
  }
  const json = JSON.stringify({
    inputs: [{ ...input, parameters: { binary_data_size: values.byteLength } }],
  });
  const body = await new Blob([json, values]).arrayBuffer();
  return {
    name,
    body,
    extra: {
      "content-type": "application/octet-stream",
      "inference-header-content-length": String(json.length),
    },
  };
}

function fail(problem: string): never {
  console.error(`load: ${problem}`);
  Deno.exit(2);
}
