/**
 * Answers HTTP requests with trained networks: `deno task serve --help` lists the flags.
 * @module
 */
import { exitWithUsageError, flag, parseOrExit, UsageError } from "./commands/cli/args.ts";
import { chosenImplementation } from "./engine/implementation.ts";
import { giveUpPermissions, requirePermissions } from "./commands/cli/permissions.ts";
import { shownPath, userPath } from "./commands/cli/user_path.ts";
import { delay } from "@std/async/delay";
import { fromFileUrl, join } from "@std/path";
import { cachePlace } from "./data/cache_folder.ts";
import { buildEngineModule, ENGINE_PLACE, isCurrent } from "./commands/web/engine_module.ts";
import { DecoderPool } from "./data/image/decoder_pool.ts";
import { requireWeightsFile } from "./model/checkpoint/files.ts";
import { checkpointAt, chosenText, findRuns } from "./model/checkpoint/runs.ts";
import { type ModelSource, parseSource, requireDistinct } from "./server/inference/checkpoint_file.ts";
import { createLogger, LOG_LEVELS } from "./server/inference/log.ts";
import { type RunningServer, startServer } from "./server/server.ts";

const NAME = "deno task serve";

const PROJECT = fromFileUrl(new URL(".", import.meta.url));

/** Long enough for a terminated worker to free its device. */
const DRIVER_EXIT_MS = 300;

const flags = parseOrExit(Deno.args, {
  name: NAME,
  summary:
    "Answers HTTP requests with trained networks. The first checkpoint is the default model; a name given twice " +
    "has two versions. SIGHUP loads the checkpoints again, SIGTERM finishes what was accepted and exits.",
  usesGpu: true,
  flags: {
    checkpoint: flag.list({
      help: "file to serve, or a run's folder: its best; default: the best of the newest run in runs/",
      value: "[NAME=]PATH",
    }),
    name: flag.string({
      help: "name of a model that has none in --checkpoint; default: its run's or file's",
    }),
    repository: flag.path({ help: "folder of runs that may be loaded by name", value: "DIR" }),
    host: flag.string({ help: "address to listen on", default: "127.0.0.1" }),
    port: flag.int({ help: "port to listen on; 0: any free one", default: 8000, min: 0, max: 65535 }),
    maxBatch: flag.int({ help: "images in one pass at most", default: 32, min: 1, max: 1024 }),
    maxDelayMs: flag.float({
      help: "how long an idle device waits for images being decoded",
      default: 5,
      min: 0,
    }),
    maxQueue: flag.int({
      help: "images decoded, queued or computed at most; beyond it 429",
      default: 256,
      min: 1,
    }),
    maxWaitMs: flag.int({
      help:
        "how long an image may expect to wait for those before it, once they fill two passes; beyond it 429",
      default: 500,
      min: 1,
    }),
    timeoutMs: flag.int({
      help: "time for one request once it has arrived; beyond it 504",
      default: 10_000,
      min: 1,
    }),
    bodyTimeoutMs: flag.int({ help: "time for a request to arrive; beyond it 408", default: 30_000, min: 1 }),
    maxBodyMb: flag.float({
      help: "megabytes of one request at most; beyond it 413",
      default: 20,
      min: 0.001,
    }),
    maxBodiesMb: flag.float({
      help: "megabytes of all requests at one time; beyond it 429",
      default: 256,
      min: 1,
    }),
    workers: flag.int({
      help: "processes that decode images",
      default: Math.max(2, navigator.hardwareConcurrency - 1),
      min: 1,
    }),
    watchMs: flag.int({
      help: "how often to look whether a checkpoint was replaced; 0: never",
      default: 1000,
      min: 0,
    }),
    drainMs: flag.int({ help: "time to finish after SIGTERM", default: 10_000, min: 0 }),
    lameDuckMs: flag.int({
      help: "how long to take new connections after SIGTERM, until load balancers know",
      default: 1000,
      min: 0,
    }),
    deviceTimeoutMs: flag.int({
      help: "a device that takes longer to answer is restarted",
      default: 30_000,
      min: 100,
    }),
    maxConnections: flag.int({
      help:
        "connections at one time; beyond it idle ones are closed; less where the system allows fewer open files",
      default: 10_000,
      min: 1,
    }),
    headerTimeoutMs: flag.int({
      help: "time for a request's headers, and for a new connection's first; beyond it 408",
      default: 10_000,
      min: 1,
    }),
    keepAliveMs: flag.int({
      help: "how long a connection may be idle; longer than the proxy's in front",
      default: 75_000,
      min: 1,
    }),
    minBodyRate: flag.int({
      help: "bytes a second at which a body must come after its first five seconds; beyond it 408",
      default: 1000,
      min: 1,
    }),
    maxRate: flag.int({
      help: "requests a second of one client at most, beyond it 429; 0: no limit",
      default: 0,
      min: 0,
    }),
    tokenFile: flag.path({
      help: "file with the bearer token that requests must carry; or ALEXNET_TOKEN in the environment",
      value: "FILE",
    }),
    token: flag.string({ help: "the token itself, which other users of this machine can see" }),
    tokenScope: flag.choice(["all", "changes"], {
      help: "what needs the token: all but the page and the probes, or only what changes models",
      default: "all",
    }),
    repositoryApi: flag.boolean({
      help: "let models be loaded and unloaded over HTTP without a token",
    }),
    allowedHosts: flag.list({
      help: "name the server answers to beside its address and localhost; .example.com: any below, *: any",
      value: "NAME",
      separator: ",",
    }),
    trustedProxies: flag.list({
      help: "address or network of a proxy whose X-Forwarded-For is believed",
      value: "ADDRESS",
      separator: ",",
    }),
    onDevice: flag.boolean({
      help:
        "let the page compute on the visitor's own device: whoever may ask can then download the models' files",
    }),
    cors: flag.list({ help: "origin whose pages may call the API, or *", value: "ORIGIN", separator: "," }),
    log: flag.choice(LOG_LEVELS, {
      help: "lowest level to log; requests are info, probes debug",
      default: "info",
    }),
  },
});

const log = createLogger(flags.log);

// Before anything is opened: whoever starts the server may end it at any time.
const loading = new AbortController();
let running: RunningServer | undefined, stopping = false;
if (Deno.build.os !== "windows") {
  Deno.addSignalListener("SIGHUP", () => void running?.models.reloadAll().catch(() => {})); // the log has it
}
for (const signal of Deno.build.os === "windows" ? ["SIGINT"] as const : ["SIGTERM", "SIGINT"] as const) {
  Deno.addSignalListener(signal, async () => {
    if (stopping) Deno.exit(1); // asked twice: now
    stopping = true;
    if (running === undefined) loading.abort(new Error("it was asked to end while loading"));
    else await exit(await running.drain() ? 0 : 1);
  });
}

try {
  giveUpPermissions("write"); // nothing here needs it, whoever granted everything
  if (chosenImplementation() === "deno") giveUpPermissions("ffi"); // Dawn is native code
  requirePermissions([
    { permission: { name: "env", variable: "ALEXNET_TOKEN" }, reason: "looks there for the token" },
    { permission: { name: "read", path: PROJECT }, reason: "reads its own files there" },
  ]);
  const sources = await chooseSources();
  const hostname = flags.host.includes(":") ? `[${flags.host}]` : flags.host;
  requirePermissions([
    ...[...sources.map(({ path }) => path), ...flags.repository === undefined ? [] : [flags.repository]]
      .map((path) => ({ permission: { name: "read", path } as const, reason: "serves what is there" })),
    { permission: { name: "net", host: `${hostname}:${flags.port}` }, reason: "listens there" },
    {
      permission: { name: "run", command: Deno.execPath() },
      reason: "decodes photos in processes of their own",
    },
    ...Deno.build.os === "linux"
      ? [
        {
          permission: { name: "sys", kind: "setPriority" },
          reason: "lets HTTP go before the network",
        } as const,
        {
          permission: { name: "env", variable: "DENO_WEBGPU_BACKEND" },
          reason: "asks there for Vulkan",
        } as const,
      ]
      : [],
  ]);
  for (const { path } of sources) await requireWeightsFile(path);
  running = await startServer({
    ...flags,
    sources,
    decoder: new DecoderPool({
      workers: flags.workers,
      timeoutMs: flags.timeoutMs,
      spareOne: true,
      nice: 5, // as the network's threads: health checks must not wait for either
      onFailure: (reason) => log.warn("decoder lost", { reason }),
    }),
    log,
    hostname: flags.host,
    limits: {
      maxBodyBytes: flags.maxBodyMb * 1e6,
      maxBodiesBytes: flags.maxBodiesMb * 1e6,
      bodyTimeoutMs: flags.bodyTimeoutMs,
      minBodyRate: flags.minBodyRate,
      timeoutMs: flags.timeoutMs,
    },
    heartbeatMs: 5000,
    token: await readToken(),
    engine: flags.onDevice ? await engineModule() : undefined,
    openRepository: flags.repositoryApi,
    stop: loading.signal,
  });
  if (loading.signal.aborted) await exit(await running.drain() ? 0 : 1); // asked just as it was done
  giveUpPermissions("net"); // the port is open; nothing here connects to anywhere
} catch (error) {
  if (loading.signal.aborted) {
    log.info("stopped", { everythingAnswered: true }); // nothing is accepted before all is loaded
    await exit(0);
  }
  if (error instanceof UsageError) exitWithUsageError(NAME, error);
  console.error(`${NAME}: ${(error as Error).message}`);
  await exit(1);
}

/** Ends the process once the GPU's thread has let go of the driver, whose exit handlers crash if the process ends under it. */
async function exit(code: number): Promise<never> {
  await delay(DRIVER_EXIT_MS);
  Deno.exit(code);
}

/** The engine for pages, built now where it is missing or older than its sources. */
async function engineModule(): Promise<Uint8Array<ArrayBuffer>> {
  if (!await isCurrent(ENGINE_PLACE)) await buildEngineModule(ENGINE_PLACE);
  return await Deno.readFile(ENGINE_PLACE);
}

/** The token from the flags or the environment; an empty file is a mistake, not an open door. */
async function readToken(): Promise<string | undefined> {
  if (flags.tokenFile === undefined) return flags.token ?? (Deno.env.get("ALEXNET_TOKEN") || undefined);
  const token = (await Deno.readTextFile(flags.tokenFile).catch((error) => {
    throw new Error(`Cannot read the token's file ${flags.tokenFile}: ${error.message}`);
  })).trim();
  if (!/^\S+$/.test(token)) {
    throw new Error(`Cannot take the token of ${flags.tokenFile}: expected one line without spaces`);
  }
  return token;
}

/** `parseSource` of what --checkpoint and --name say. */
function namedSource(text: string): ModelSource {
  try {
    return parseSource(text, flags.name);
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

/** What to serve, by names that differ unless somebody gave them twice. */
async function chooseSources(): Promise<ModelSource[]> {
  const sources = flags.checkpoint === undefined
    ? [await newestSource()]
    : await Promise.all(flags.checkpoint.map(givenSource));
  try {
    requireDistinct(sources);
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
  return sources;
}

async function givenSource(text: string): Promise<ModelSource> {
  const remote = /^([^=/]+=)?((?:s3|https?):\/\/.+)$/.exec(text);
  if (remote) return namedSource(`${remote[1] ?? ""}${await fetched(remote[2]!)}`);
  const { path } = namedSource(text);
  const file = await checkpointAt(userPath(path), (text) => log.info(text));
  return namedSource(text.slice(0, text.length - path.length) + file);
}

/** The file that an address means, brought by a process of its own: this one may neither write nor connect to anywhere. */
async function fetched(address: string): Promise<string> {
  const { success, stdout } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--no-prompt", "--allow-read", "--allow-net", "--allow-env"],
      ...[
        `--allow-write=${join(PROJECT, cachePlace("checkpoints"))}`,
        join(PROJECT, "commands/fetch.ts"),
        address,
      ],
    ],
    ...{ cwd: PROJECT, stdin: "null", stderr: "inherit" },
  }).output();
  if (!success) throw new Error(`Cannot serve ${address}: it could not be fetched`);
  return join(PROJECT, new TextDecoder().decode(stdout).trim());
}

async function newestSource(): Promise<ModelSource> {
  const folder = shownPath("runs");
  const [newest] = await findRuns(folder);
  if (newest === undefined) {
    throw new Error(
      "there is no checkpoint in runs/: train one with `deno task train`, or name one with --checkpoint",
    );
  }
  log.info(await chosenText(folder, newest));
  return parseSource(newest.path, flags.name);
}
