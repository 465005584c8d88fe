/**
 * Servers over the fake loader: an application that answers without a port, and a whole server with its GPU worker on one.
 * @module
 */
import { TextLineStream } from "@std/streams/text-line-stream";
import { encodeJpeg, encodePng } from "../data/encoders.ts";
import { decodeImage } from "../../data/image/decode.ts";
import { type AppOptions, createApp } from "../../server/http/app.ts";
import type { Limits } from "../../server/http/context.ts";
import { Metrics } from "../../server/http/metrics.ts";
import { createLogger } from "../../server/inference/log.ts";
import { ModelRegistry } from "../../server/inference/registry.ts";
import { type ServerOptions, startServer } from "../../server/server.ts";
import { Codec } from "../../server/workers/codec.ts";
import type { Phase } from "../../server/workers/supervisor.ts";
import { type FakeCheckpoint, FakeClassifier, loadClassifier } from "./fake_loader.ts";

const LIMITS: Limits = {
  maxBodyBytes: 20_000_000,
  maxBodiesBytes: 256_000_000,
  bodyTimeoutMs: 30_000,
  minBodyRate: 1000,
  timeoutMs: 10_000,
};

export interface FixtureOptions extends AppOptions {
  readonly limits?: Partial<Limits>;
  readonly maxBatch?: number;
  readonly maxQueue?: number;
  readonly maxDelayMs?: number;
  /** Checkpoints by model name; a list makes several versions. */
  readonly checkpoints?: Readonly<Record<string, FakeCheckpoint | readonly FakeCheckpoint[]>>;
  /** Leave the models unloaded. */
  readonly unloaded?: boolean;
  readonly available?: Readonly<Record<string, FakeCheckpoint>>;
}

/** Builds the application; dispose of it at the test's end. */
export async function setUp(options: FixtureOptions = {}) {
  const folder = await Deno.makeTempDir();
  const write = async (name: string, checkpoint: unknown) => {
    const path = `${folder}/${name}.json`;
    await Deno.writeTextFile(path, JSON.stringify(checkpoint));
    return path;
  };
  const sources = [];
  for (const [name, value] of Object.entries(options.checkpoints ?? { animals: {} })) {
    for (const [i, checkpoint] of (Array.isArray(value) ? value : [value]).entries()) {
      sources.push({ name, path: await write(`${name}-${i}`, checkpoint) });
    }
  }
  const available: { name: string; path: string }[] = [];
  for (const [name, checkpoint] of Object.entries(options.available ?? {})) {
    available.push({ name, path: await write(name, checkpoint) });
  }
  const lines: Record<string, unknown>[] = [];
  const log = createLogger("debug", (line) => lines.push(JSON.parse(line)));
  const classifiers: FakeClassifier[] = [];
  const maxBatch = options.maxBatch ?? 8;
  const metrics = new Metrics();
  const models = new ModelRegistry(sources, {
    open: async (path) => {
      const classifier = await loadClassifier(path, { maxBatch }) as FakeClassifier;
      classifiers.push(classifier);
      return classifier;
    },
    batching: {
      maxBatch,
      maxDelayMs: options.maxDelayMs ?? 5,
      maxQueue: options.maxQueue ?? 32,
      maxWaitMs: 60_000,
    },
    log,
    available: () => Promise.resolve(available),
    onBatch: (model, size) => metrics.batchSizes.observe({ model }, size),
  });
  if (!options.unloaded) await models.loadMissing();
  const state = {
    phase: "serving" as Phase,
    get ready() {
      return this.phase === "serving" && models.ready;
    },
  };
  metrics.observe(models, () => state.ready);
  const codec = new Codec();
  const limits = { ...LIMITS, ...options.limits };
  const decoder = { decode: decodeImage };
  const app = await createApp({ models, decoder, codec, metrics, log, limits, state }, options);
  const clean = async () => {
    codec[Symbol.dispose]();
    await Deno.remove(folder, { recursive: true });
  };
  return { app, models, state, lines, classifiers, sources, write, [Symbol.asyncDispose]: clean };
}

/** A photo of one colour, as a PNG or JPEG file; only a JPEG needs a permission, to read its encoder. */
export async function encodePhoto(
  [red, green, blue]: readonly [number, number, number],
  { width = 12, height = 10, format = "png" as "png" | "jpeg" } = {},
): Promise<Uint8Array<ArrayBuffer>> {
  if (format === "png") {
    const row = Array.from({ length: width }, () => [red, green, blue]).flat();
    return encodePng({ width, height, colorType: 2, rows: Array.from({ length: height }, () => row) });
  }
  const data = new Uint8Array(width * height * 4).map((_, i) => [red, green, blue, 255][i % 4]!);
  return await encodeJpeg({ width, height, data }, { quality: 95 });
}

/** A form with these files in the field `image`. */
export function formOf(
  ...files: readonly (readonly [name: string, bytes: Uint8Array<ArrayBuffer>])[]
): FormData {
  const form = new FormData();
  for (const [name, bytes] of files) form.append("image", new File([bytes], name));
  return form;
}

/** Options, and the checkpoint to serve. */
export interface PortOptions extends Partial<Omit<ServerOptions, "limits">> {
  readonly limits?: Partial<Limits>;
  readonly checkpoint?: FakeCheckpoint;
  /** The checkpoint's text, instead. */
  readonly text?: string;
}

/** A GPU worker without a GPU. */
export function startFakeGpuWorker(): Worker {
  return new Worker(new URL("./fake_gpu_worker.ts", import.meta.url), { type: "module" });
}

/** Starts a server on a free port; dispose of it at the test's end. */
export async function serveFake({ checkpoint = {}, text, limits, ...options }: PortOptions = {}) {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/model.json`;
  await Deno.writeTextFile(path, text ?? JSON.stringify(checkpoint));
  const lines: Record<string, unknown>[] = [];
  const workers: Worker[] = [];
  const { startGpuWorker = startFakeGpuWorker, ...others } = options;
  try {
    const server = await startServer({
      sources: [{ name: "animals", path }],
      decoder: { decode: decodeImage, close: () => {} },
      log: createLogger("debug", (line) => lines.push(JSON.parse(line))),
      hostname: "127.0.0.1",
      port: 0,
      limits: { ...LIMITS, ...limits },
      maxBatch: 8,
      maxDelayMs: 5,
      maxQueue: 64,
      maxWaitMs: 60_000,
      watchMs: 0,
      drainMs: 20_000,
      lameDuckMs: 0,
      deviceTimeoutMs: 20_000,
      heartbeatMs: 1e6,
      maxConnections: 1000,
      headerTimeoutMs: 10_000,
      keepAliveMs: 10_000,
      ...others,
      startGpuWorker: () => {
        const worker = startGpuWorker();
        workers.push(worker);
        return worker;
      },
    });
    const ask = async (path: string, init?: RequestInit) => {
      const response = await fetch(new URL(path, server.url), init);
      return { status: response.status, headers: response.headers, text: await response.text() };
    };
    const clean = async () => {
      await server.close();
      await Deno.remove(folder, { recursive: true });
    };
    /** Ends the GPU's worker as a crash would. */
    const killDevice = () => workers.at(-1)!.terminate();
    return { ...server, path, lines, ask, killDevice, [Symbol.asyncDispose]: clean };
  } catch (error) {
    await Deno.remove(folder, { recursive: true });
    throw error;
  }
}

/** Waits until `check` holds; the test runner's own limit ends a wait that is in vain. */
export async function until(check: () => boolean | Promise<boolean>): Promise<void> {
  while (!await check()) await new Promise((resolve) => setTimeout(resolve, 5));
}

/** The lines of what a process prints. */
export function textLines(bytes: ReadableStream<Uint8Array<ArrayBuffer>>): ReadableStream<string> {
  const lines: TransformStream<string, string> = new TextLineStream();
  return bytes.pipeThrough(new TextDecoderStream()).pipeThrough(lines);
}
