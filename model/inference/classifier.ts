/**
 * A trained network that answers questions: what `predict`, `evaluate` and `serve` share.
 * @module
 */
import { evaluationMap, mirrored } from "../../data/augment.ts";
import { type DecodedImage, ImageError } from "../../data/image/image.ts";
import { type Gpu, GpuLostError } from "../../engine/device.ts";
import { type Pause, Plan } from "../../engine/plan.ts";
import { readTensors, writeTensor } from "../../engine/tensor.ts";
import { architecture } from "../architectures/registry.ts";
import type { ModelCard } from "../checkpoint/card.ts";
import type { Checkpoint } from "../checkpoint/encoding.ts";
import type { Exemplars } from "../checkpoint/exemplars.ts";
import {
  type Classification,
  type Classifier,
  type ClassifyOptions,
  DeviceLostError,
  type Heatmap,
} from "./classifier_types.ts";
import { gradCam } from "./grad_cam.ts";
import { Familiarity } from "./familiarity.ts";
import { Inference, type Pass, probabilitiesOf } from "./inference.ts";
import { Network } from "../network.ts";
import { PhotoFeed, type PlacedPhoto } from "./photo_feed.ts";

/** What a classifier may be told. */
export interface NetworkClassifierOptions {
  /** Largest batch of one call; default 32. */
  readonly maxBatch?: number | undefined;
  /** Called between two steps of uploading the weights. */
  readonly pause?: Pause | undefined;
}

/** What a classifier over a network has beside it. */
export interface NetworkClassifierParts {
  /** Called on close. */
  readonly release?: (() => void) | undefined;
  /** Photos of the classes, next to which a photo is known or not; without them logits alone tell. */
  readonly exemplars?: Exemplars | undefined;
  /** Maps whose moments `passes` gives; default: those of the exemplars. */
  readonly maps?: readonly string[] | undefined;
}

/** Pixels that a freshly built plan has room for, per photo; larger photos make it grow. */
const USUAL_PIXELS = 256 * 400;

/** A `Classifier` over a network on this thread. Calls run one after the other. */
export class NetworkClassifier implements Classifier {
  readonly #plans = new Map<number, Inference>();
  readonly #explanations = new Map<string | undefined, Explanation>();
  #queue: Promise<unknown> = Promise.resolve();
  #closed = false;

  readonly #release: () => void;
  readonly #familiarity: Familiarity | undefined;
  readonly #maps: readonly string[];

  /** Over a network that is ready. Throws a `CheckpointError` where the card's rule for unknown photos lacks its exemplars. */
  constructor(
    readonly network: Network,
    readonly card: ModelCard,
    readonly maxBatch: number,
    { release = () => {}, exemplars, maps = exemplars?.maps ?? [] }: NetworkClassifierParts = {},
  ) {
    this.#release = release;
    this.#familiarity = card.unknown && new Familiarity(card.unknown, exemplars);
    this.#maps = maps;
  }

  /** A checkpoint's network on a device; on close, `release` is called after the network is freed. */
  static async create(
    gpu: Gpu,
    { card, tensors, exemplars }: Checkpoint,
    { maxBatch = 32, pause }: NetworkClassifierOptions = {},
    release: () => void = () => {},
  ): Promise<NetworkClassifier> {
    const size = { classes: card.classes.length, size: card.preprocess.height };
    using stack = new DisposableStack();
    const network = stack.use(new Network(gpu, architecture(card.model, size)));
    for (const _ of network.loadInSteps(tensors)) await pause?.();
    const owned = stack.move();
    const close = () => {
      owned.dispose();
      release();
    };
    try {
      return new NetworkClassifier(network, card, maxBatch, { release: close, exemplars });
    } catch (error) {
      owned.dispose();
      throw error;
    }
  }

  get adapter(): string {
    return this.network.gpu.name;
  }

  /**
   * Builds the plans for these batch sizes now instead of at their first use, and runs each once: drivers take memory and
   * translate kernels only then. `pause` is called between two of their launches; without it they run as fast as can be.
   */
  async warm(batches: readonly number[], pause?: Pause): Promise<void> {
    await this.#alone(async () => {
      const plans: Inference[] = [];
      for (const n of batches) plans.push(await this.#plan(n, 0, pause));
      for (const plan of plans) await plan.warm(pause);
    });
  }

  /** Classifies 1 to `maxBatch` photos; throws `ImageError` "too-large" where they exceed the device. */
  classify(images: readonly DecodedImage[], options: ClassifyOptions = {}): Promise<Classification[]> {
    const { preprocess } = this.card;
    const photos = images.map((image) => ({
      ...image,
      map: evaluationMap(image, preprocess, preprocess.resize),
    }));
    return this.#alone(async () => {
      const passes = await this.passes(photos, photos.length, options);
      const answers: Classification[] = [];
      for (const [i, pass] of passes.entries()) {
        const answer = this.answer(pass);
        answers.push(
          options.explain
            ? { ...answer, heatmap: await this.#heatmap(photos[i]!, best(pass.logits)) }
            : answer,
        );
      }
      return answers;
    });
  }

  /** What a pass through the network says by the card: probabilities at its temperature, and whether the photo is of no class. */
  answer({ logits, moments }: Pass): Classification {
    const { calibration, unknown } = this.card;
    const answer = { logits, probabilities: probabilitiesOf(logits, calibration?.temperature) };
    if (!unknown || !this.#familiarity) return answer;
    const familiarity = this.#familiarity.of({ logits, moments });
    return { ...answer, familiarity, unknown: familiarity < unknown.threshold };
  }

  /**
   * Grad-CAM of one photo: which of its places speak for a class, as a layer sees them (one of `network.maps`; default: the last map of
   * features). Throws a `RangeError` where there is no such class, and a `UserError` where the layer makes no map.
   */
  explain(
    image: DecodedImage,
    { label, layer }: { readonly label: number; readonly layer?: string | undefined },
  ): Promise<Heatmap> {
    const { preprocess, classes } = this.card;
    if (!(label in classes)) throw new RangeError(`Cannot explain class ${label} of ${classes.length}`);
    const map = evaluationMap(image, preprocess, preprocess.resize);
    return this.#alone(() => this.#heatmap({ ...image, map }, label, layer));
  }

  /** Logits of placed photos; see `passes`. */
  async logits(
    photos: readonly PlacedPhoto[],
    batch: number = photos.length,
    options: ClassifyOptions = {},
  ): Promise<Float32Array[]> {
    return (await this.passes(photos, batch, options)).map(({ logits }) => logits);
  }

  /**
   * Passes of placed photos; not queued, for callers that own the device such as the training loop. Computed by the plan for `batch`
   * photos, where there are fewer.
   */
  async passes(
    photos: readonly PlacedPhoto[],
    batch: number = photos.length,
    { tta = false }: ClassifyOptions = {},
  ): Promise<Pass[]> {
    const pixels = photos.reduce((sum, p) => sum + p.width * p.height, 0);
    const plan = await this.#plan(Math.max(photos.length, batch), pixels);
    const passes = await plan.photos(photos);
    if (!tta) return passes;
    const { width } = this.card.preprocess;
    const others = await plan.photos(photos.map((photo) => ({ ...photo, map: mirrored(photo.map, width) })));
    const mean = (a: Float32Array, b: Float32Array) => a.map((value, k) => (value + b[k]!) / 2);
    return passes.map(({ logits, moments }, n) => ({
      logits: mean(logits, others[n]!.logits),
      moments: moments.map((values, m) => mean(values, others[n]!.moments[m]!)),
    }));
  }

  async infer(input: Float32Array, batch: number): Promise<Float32Array> {
    const { buffer, byteOffset, byteLength } = input;
    const size = Math.floor(byteLength / batch);
    const rows = Array.from({ length: batch }, (_, n) => new Uint8Array(buffer, byteOffset + n * size, size));
    const classes = this.network.output.c, out = new Float32Array(batch * classes);
    (await this.classifyRows(rows)).forEach(({ logits }, n) => out.set(logits, n * classes));
    return out;
  }

  /** As `classify`, from the bytes of one preprocessed input `[3, height, width]` per row: they go to the device as they are. */
  classifyRows(rows: readonly Uint8Array[]): Promise<Classification[]> {
    return this.#alone(async () => {
      const passes = await (await this.#plan(rows.length, 0)).rows(rows);
      return passes.map((pass) => this.answer(pass));
    });
  }

  memory(): Promise<number> {
    return Promise.resolve(this.network.gpu.bytes);
  }

  /** Frees plans and network; waits for the call in progress. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#queue.catch(() => {});
    for (const plan of this.#plans.values()) plan[Symbol.dispose]();
    this.#plans.clear();
    for (const explanation of this.#explanations.values()) explanation[Symbol.dispose]();
    this.#explanations.clear();
    this.#release();
  }

  /** The plan for at least `count` inputs: powers of two, so that few plans serve every batch. */
  async #plan(count: number, pixels: number, pause?: Pause): Promise<Inference> {
    if (count < 1 || count > this.maxBatch) {
      throw new RangeError(`Cannot classify ${count} inputs at once: wanted 1 to ${this.maxBatch}`);
    }
    const batch = Math.min(2 ** Math.ceil(Math.log2(count)), this.maxBatch);
    const old = this.#plans.get(batch);
    if (old && old.capacity >= pixels) return old;
    // Less what aligning each photo may take.
    const limit = Math.floor(this.network.gpu.limits.maxStorageBufferBindingSize / 4) - 4 * this.maxBatch;
    if (pixels > limit) {
      throw new ImageError(
        "too-large",
        `Cannot classify photos of ${pixels} pixels: the device holds ${limit} at once`,
      );
    }
    old?.[Symbol.dispose]();
    this.#plans.delete(batch);
    const room = Math.min(limit, Math.max(batch * USUAL_PIXELS, Math.ceil(pixels * 1.25)));
    const plan = await Inference.create(this.network, batch, {
      capacity: room,
      preprocess: this.card.preprocess,
      maps: this.#maps,
      pause,
    });
    this.#plans.set(batch, plan);
    return plan;
  }

  async #heatmap(photo: PlacedPhoto, label: number, layer?: string): Promise<Heatmap> {
    let explanation = this.#explanations.get(layer);
    if (!explanation || explanation.feed.capacity < photo.width * photo.height) {
      explanation?.[Symbol.dispose]();
      this.#explanations.delete(layer);
      const room = Math.max(USUAL_PIXELS, photo.width * photo.height);
      explanation = await Explanation.create(this.network, room, this.card.preprocess, layer);
      this.#explanations.set(layer, explanation);
    }
    return await explanation.run(photo, label);
  }

  /** Runs `work` after all earlier calls. */
  #alone<T>(work: () => Promise<T>): Promise<T> {
    if (this.#closed) return Promise.reject(new Error("Cannot classify: the classifier is closed"));
    const result = this.#queue.then(work).catch((error) => {
      throw error instanceof GpuLostError ? new DeviceLostError(error.message) : error;
    });
    this.#queue = result.catch(() => {});
    return result;
  }
}

/** The place of the largest value. */
function best(logits: Float32Array): number {
  return logits.indexOf(logits.reduce((a, b) => Math.max(a, b), -Infinity));
}

/** The plan behind Grad-CAM, at batch 1. */
class Explanation implements Disposable {
  private constructor(
    readonly network: Network,
    readonly feed: PhotoFeed,
    readonly plan: Plan,
    readonly tensors: ReturnType<Network["buildExplanation"]> & { dLogits: ReturnType<Plan["tensor"]> },
  ) {}

  static async create(
    network: Network,
    capacity: number,
    preprocess: ModelCard["preprocess"],
    layer: string | undefined,
  ): Promise<Explanation> {
    using stack = new DisposableStack();
    const plan = stack.use(new Plan(network.gpu, "explanation"));
    const feed = stack.use(new PhotoFeed(network.gpu, 1, capacity, preprocess));
    const x = network.inputTensor(plan, 1);
    feed.build(plan, x);
    const dLogits = plan.tensor([1, 1, 1, network.output.c], "dLogits");
    const built = network.buildExplanation(plan, x, dLogits, layer);
    await plan.compile();
    stack.move();
    return new Explanation(network, feed, plan, { ...built, dLogits });
  }

  async run(photo: PlacedPhoto, label: number): Promise<Heatmap> {
    const { features, gradient, dLogits } = this.tensors;
    writeTensor(this.network.gpu, dLogits, new Float32Array(dLogits.size).fill(1, label, label + 1));
    this.feed.write([photo]);
    this.plan.run();
    const [f, g] = await readTensors(this.network.gpu, [features, gradient]);
    return gradCam(f!, g!, features.shape[1]!, features.shape[2]!);
  }

  [Symbol.dispose](): void {
    this.feed[Symbol.dispose]();
    this.plan[Symbol.dispose]();
  }
}
