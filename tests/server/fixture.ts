/**
 * An application over fakes, answering without a port.
 * @module
 */
import { Image } from "imagescript";
import { decodeImage } from "../../data/image/decode.ts";
import { type AppOptions, createApp } from "../../server/http/app.ts";
import { Codec } from "../../server/workers/codec.ts";
import { DEFAULT_LIMITS, type Limits } from "../../server/http/context.ts";
import { createLogger } from "../../server/http/log.ts";
import { Metrics } from "../../server/http/metrics.ts";
import { ModelRegistry } from "../../server/inference/registry.ts";
import type { Phase } from "../../server/workers/supervisor.ts";
import { type FakeCheckpoint, FakeClassifier, loadClassifier } from "./fake_loader.ts";

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
    batching: { maxBatch, maxDelayMs: options.maxDelayMs ?? 5, maxQueue: options.maxQueue ?? 32 },
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
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const decoder = { decode: decodeImage };
  const app = await createApp({ models, decoder, codec, metrics, log, limits, state }, options);
  const clean = async () => {
    codec[Symbol.dispose]();
    await Deno.remove(folder, { recursive: true });
  };
  return { app, models, state, lines, classifiers, sources, write, [Symbol.asyncDispose]: clean };
}

/** A photo of one colour, as a PNG or JPEG file. */
export async function encodePhoto(
  [red, green, blue]: readonly [number, number, number],
  { width = 12, height = 10, format = "png" as "png" | "jpeg" } = {},
): Promise<Uint8Array<ArrayBuffer>> {
  const image = new Image(width, height).fill(Image.rgbToColor(red, green, blue));
  return new Uint8Array(format === "png" ? await image.encode() : await image.encodeJPEG(95));
}

/** A form with these files in the field `image`. */
export function formOf(
  ...files: readonly (readonly [name: string, bytes: Uint8Array<ArrayBuffer>])[]
): FormData {
  const form = new FormData();
  for (const [name, bytes] of files) form.append("image", new File([bytes], name));
  return form;
}
