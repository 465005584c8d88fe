/**
 * A model that is served: the version of it that answers now, and how a checkpoint file becomes one, is replaced and freed.
 * @module
 */
import type { DecodedImage } from "../../data/image/image.ts";
import { decodeSide } from "../../data/preprocess.ts";
import { Batcher, type BatcherOptions, type RowClassifier } from "./batcher.ts";
import { contentVersion, fileStamp, type ModelSource, withoutFolder } from "./checkpoint_file.ts";
import type { Logger } from "./log.ts";

/** Turns bytes into pixels; a `DecoderPool`, or whatever stands in for it. Rejects with `ImageError`. */
export interface Decoder {
  decode(
    bytes: Uint8Array,
    options?: { shorterSide?: number; signal?: AbortSignal },
  ): Promise<DecodedImage>;
}

/** What `LoadedModel` adds to a classifier. */
export interface ModelIdentity {
  readonly name: string;
  /** The first digits of the checkpoint's SHA-256: the same file is the same version on every replica. */
  readonly version: string;
  readonly path: string;
}

/** One version of a model, loaded and probed. */
export class LoadedModel {
  readonly batcher: Batcher;
  readonly loadedAt: Date = new Date();

  private constructor(
    readonly identity: ModelIdentity,
    readonly classifier: RowClassifier,
    options: BatcherOptions,
  ) {
    this.batcher = new Batcher(classifier, options);
  }

  /** Takes a classifier into service once it has answered for an all-zero input and a grey photo; rejects, and closes it, otherwise. */
  static async probe(
    identity: ModelIdentity,
    classifier: RowClassifier,
    options: BatcherOptions,
  ): Promise<LoadedModel> {
    try {
      const { height, width } = classifier.card.preprocess;
      const logits = await classifier.infer(new Float32Array(3 * height * width), 1);
      const photo = { width: 16, height: 16, data: new Uint8Array(16 * 16 * 4).fill(128) };
      const [answer] = await classifier.classify([photo]);
      for (const values of [logits, answer?.logits ?? [], answer?.probabilities ?? []]) {
        const classes = classifier.card.classes.length;
        if (values.length !== classes || !values.every(Number.isFinite)) {
          const shown = [...values].slice(0, 4).join(", ");
          throw new Error(
            `Cannot serve ${identity.path}: for a probe it answered [${shown}…] (${values.length} values), expected ${classes} finite ones`,
          );
        }
      }
      return new LoadedModel(identity, classifier, options);
    } catch (error) {
      await classifier.close().catch(() => {}); // the first error is the one worth telling
      throw error;
    }
  }

  /** Decodes a photo, no larger than the network has use for: many large ones would fill the memory. */
  decode(decoder: Decoder, bytes: Uint8Array, signal: AbortSignal): Promise<DecodedImage> {
    return decoder.decode(bytes, { shorterSide: decodeSide(this.classifier.card.preprocess), signal });
  }

  /** Waits until every request that came before is answered, then frees the network. */
  async retire(): Promise<void> {
    await this.batcher.drained();
    await this.classifier.close();
  }

  /** Asks the device for one answer, outside the queue; rejects as `Classifier.infer` does. */
  async ping(): Promise<void> {
    const { height, width } = this.classifier.card.preprocess;
    await this.classifier.infer(new Float32Array(3 * height * width), 1);
  }
}

/** How models are opened and served. */
export interface EntryOptions {
  /** Opens a checkpoint on the current device. */
  readonly open: (path: string) => Promise<RowClassifier>;
  readonly batching: Omit<BatcherOptions, "onBatch">;
  readonly log: Logger;
  /** Called after every pass with its size. */
  readonly onBatch?: (model: string, size: number) => void;
  /** Called after every attempt to load. */
  readonly onLoad?: (source: ModelSource, succeeded: boolean) => void;
}

/** The states of the model repository extension. */
export type ModelState = "UNAVAILABLE" | "LOADING" | "READY";

/** A line of the repository's index. */
export interface IndexEntry {
  readonly name: string;
  readonly version?: string;
  readonly state: ModelState;
  /** Why a model is not ready, or why its last reload failed. */
  readonly reason: string;
}

/** Loads of one entry run one after another; at any moment at most one version of it takes requests. */
export class ModelEntry {
  /** False after an unload: then it is not brought back by itself. */
  wanted = true;
  readonly #options: EntryOptions;
  #current: LoadedModel | undefined;
  #state: ModelState = "UNAVAILABLE";
  #reason = "not loaded yet";
  /** The file's stamp when its loading was last tried. */
  #stamp: string | undefined;
  #turn: Promise<void> = Promise.resolve();

  constructor(readonly source: ModelSource, options: EntryOptions) {
    this.#options = options;
  }

  /** What answers requests now. */
  get current(): LoadedModel | undefined {
    return this.#current;
  }

  /** Why there is none, or why its last reload failed; tells the file's name, not where it lies. */
  get reason(): string {
    return this.#reason;
  }

  /** Its line in the repository's index. */
  describe(): IndexEntry {
    const version = this.#current?.identity.version;
    return {
      name: this.source.name,
      ...(version === undefined ? {} : { version }),
      state: this.#state,
      reason: this.#reason,
    };
  }

  /** Loads the file and swaps it in once it has answered a probe; rejects while the old one goes on serving. */
  load(): Promise<void> {
    return this.#inTurn(async () => {
      const { log, onLoad } = this.#options;
      const { name, path } = this.source;
      this.wanted = true;
      if (this.#current === undefined) this.#become("LOADING", "");
      const started = performance.now();
      try {
        const model = await this.#open();
        const old = this.#current;
        this.#current = model;
        this.#become("READY", "");
        if (old !== undefined) void this.#retire(old);
        log.info("model loaded", {
          model: name,
          version: model.identity.version,
          path,
          ...(old ? { replaces: old.identity.version } : {}),
          milliseconds: Math.round(performance.now() - started),
        });
        onLoad?.(this.source, true);
      } catch (error) {
        const reason = (error as Error).message;
        if (this.#current === undefined) this.#become("UNAVAILABLE", reason);
        else this.#become("READY", `the last reload failed: ${reason}`);
        const stillServing = this.#current?.identity.version;
        log.error("model not loaded", { model: name, path, error: reason, stillServing });
        onLoad?.(this.source, false);
        throw error;
      }
    });
  }

  /** Loads the file if it changed since that was last tried; what goes wrong is in the log. */
  async loadIfChanged(): Promise<void> {
    const stamp = await fileStamp(this.source.path);
    if (stamp !== undefined && stamp !== this.#stamp) await this.load().catch(() => {});
  }

  /** Takes the model out of service: its queue is finished, then it is freed. */
  unload(): Promise<void> {
    return this.#inTurn(async () => {
      this.wanted = false;
      const old = this.#current;
      this.suspend("unloaded");
      if (old !== undefined) await this.#retire(old);
    });
  }

  /** Forgets the model, which is gone with its device. */
  suspend(reason: string): void {
    this.#current = undefined;
    this.#become("UNAVAILABLE", reason);
  }

  #become(state: ModelState, reason: string): void {
    this.#state = state;
    this.#reason = withoutFolder(reason, this.source.path);
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => {});
    return done;
  }

  async #open(): Promise<LoadedModel> {
    const { name, path } = this.source;
    const { open, batching, onBatch } = this.#options;
    this.#stamp = await fileStamp(path);
    const version = await contentVersion(path);
    const classifier = await open(path);
    return await LoadedModel.probe({ name, version, path }, classifier, {
      ...batching,
      onBatch: (size) => onBatch?.(name, size),
    });
  }

  #retire(model: LoadedModel): Promise<void> {
    const { name, version } = model.identity;
    const { log } = this.#options;
    return model.retire().then(
      () => log.info("model freed", { model: name, version }),
      (error: Error) => log.warn("model not freed", { model: name, version, error: error.message }),
    );
  }
}
