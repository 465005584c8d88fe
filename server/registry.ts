/**
 * The models that are served: by name, each with one or more versions, replaced while requests run.
 * @module
 */
import type { BatcherOptions } from "./batcher.ts";
import { contentVersion, fileStamp, type ModelSource } from "./checkpoint_file.ts";
import { HttpError, UnavailableError } from "./errors.ts";
import type { RowClassifier } from "./gpu_messages.ts";
import { LoadedModel } from "./loaded_model.ts";
import type { Logger } from "./log.ts";

/** How models are opened and served. */
export interface RegistryOptions {
  /** Opens a checkpoint on the current device. */
  readonly open: (path: string) => Promise<RowClassifier>;
  readonly batching: Omit<BatcherOptions, "onBatch">;
  readonly log: Logger;
  /** Lists checkpoints that may be loaded by name beside those named at start. */
  readonly available?: () => Promise<readonly ModelSource[]>;
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

/** One checkpoint file and what became of it. */
interface Entry {
  readonly source: ModelSource;
  current: LoadedModel | undefined;
  state: ModelState;
  reason: string;
  /** False after an unload: then it is not brought back by itself. */
  wanted: boolean;
  /** The file's stamp when its loading was last tried. */
  stamp: string | undefined;
  /** Loads of one entry run one after another. */
  turn: Promise<void>;
}

/** The served models. The first source given is the default model. */
export class ModelRegistry {
  readonly #options: RegistryOptions;
  readonly #entries: Entry[] = [];
  readonly #retiring = new Set<Promise<void>>();

  constructor(sources: readonly ModelSource[], options: RegistryOptions) {
    this.#options = options;
    for (const source of sources) this.#add(source);
  }

  /** Names in the order they were given. */
  get names(): string[] {
    return [...new Set(this.#entries.filter((entry) => entry.wanted).map((entry) => entry.source.name))];
  }

  /** Every version that can answer now. */
  get models(): LoadedModel[] {
    return this.#entries.flatMap((entry) => entry.current ?? []);
  }

  /** Whether at least one model is wanted and all that are can answer. */
  get ready(): boolean {
    const wanted = this.#entries.filter((entry) => entry.wanted);
    return wanted.length > 0 && wanted.every((entry) => entry.current !== undefined);
  }

  /**
   * The version asked for, or the last one given of that name, or of the default model. Throws an `HttpError`: 404 for what is not
   * served, 503 for what is but cannot answer now.
   */
  resolve(name?: string, version?: string): LoadedModel {
    const chosen = name ?? this.names[0];
    const entries = this.#entries.filter((entry) => entry.source.name === chosen && entry.wanted);
    if (entries.length === 0) {
      const known = this.names.join(", ") || "none";
      throw new HttpError(404, `Cannot find a model named ${JSON.stringify(chosen ?? "")}; served: ${known}`);
    }
    const loaded = entries.flatMap((entry) => entry.current ?? []);
    const model = version === undefined
      ? loaded.at(-1)
      : loaded.find((candidate) => candidate.identity.version === version);
    if (model !== undefined) return model;
    if (loaded.length === 0) {
      throw new UnavailableError(`Cannot answer: model ${chosen} is not ready (${entries.at(-1)!.reason})`);
    }
    const known = loaded.map((candidate) => candidate.identity.version).join(", ");
    throw new HttpError(
      404,
      `Cannot find version ${JSON.stringify(version)} of model ${chosen}; served: ${known}`,
    );
  }

  /** What was named or loaded so far, and in which state. */
  index(): IndexEntry[] {
    return this.#entries.map(({ source, current, state, reason }) => ({
      name: source.name,
      ...(current === undefined ? {} : { version: current.identity.version }),
      state,
      reason,
    }));
  }

  /** As `index`, and what else could be loaded. */
  async list(): Promise<IndexEntry[]> {
    const known = new Set(this.#entries.map((entry) => entry.source.name));
    const others = (await this.#options.available?.() ?? []).filter(({ name }) => !known.has(name));
    return [
      ...this.index(),
      ...others.map(({ name }) => ({ name, state: "UNAVAILABLE" as const, reason: "not loaded yet" })),
    ];
  }

  /** Loads every model that is wanted and not there; rejects with the first failure, after all were tried. */
  async loadMissing(): Promise<void> {
    await this.#loadEach(this.#entries.filter((entry) => entry.wanted && entry.current === undefined));
  }

  /** Loads every wanted model again, changed or not; rejects with the first failure, after all were tried. */
  async reloadAll(): Promise<void> {
    await this.#loadEach(this.#entries.filter((entry) => entry.wanted));
  }

  /** Loads a model, or loads it again: every version of the name. Rejects while the old one goes on serving. */
  async load(name: string): Promise<void> {
    if (!this.#entries.some((entry) => entry.source.name === name)) {
      const source = (await this.#options.available?.() ?? []).find((source) => source.name === name);
      if (source === undefined) {
        throw new HttpError(404, `Cannot load model ${JSON.stringify(name)}: it is not known`);
      }
      this.#add(source);
    }
    await Promise.all(
      this.#entries.filter((entry) => entry.source.name === name).map((entry) => this.#load(entry)),
    );
  }

  /** Takes a model out of service: its queue is finished, then it is freed. */
  async unload(name: string): Promise<void> {
    const entries = this.#entries.filter((entry) => entry.source.name === name);
    if (entries.length === 0) {
      throw new HttpError(404, `Cannot unload model ${JSON.stringify(name)}: it is not known`);
    }
    await Promise.all(entries.map((entry) =>
      this.#inTurn(entry, async () => {
        entry.wanted = false;
        const old = entry.current;
        Object.assign(entry, { current: undefined, state: "UNAVAILABLE", reason: "unloaded" });
        if (old !== undefined) await this.#retire(old);
      })
    ));
  }

  /** Loads again what changed on disk since it was last tried; a file that is gone or bad leaves the old one serving. */
  async reloadChanged(): Promise<void> {
    for (const entry of this.#entries.filter((entry) => entry.wanted)) {
      const stamp = await fileStamp(entry.source.path);
      if (stamp !== undefined && stamp !== entry.stamp) await this.#load(entry).catch(() => {}); // it was logged
    }
  }

  /** The device is gone, and with it every model; nothing is left to close. */
  suspend(reason: string): void {
    for (const entry of this.#entries) {
      if (entry.current !== undefined) {
        Object.assign(entry, { current: undefined, state: "UNAVAILABLE", reason });
      }
    }
  }

  /** Resolves when no model has a request left and the replaced ones are freed. */
  async drained(): Promise<void> {
    await Promise.all(this.models.map((model) => model.batcher.drained()));
    await Promise.all(this.#retiring);
  }

  #add(source: ModelSource): void {
    this.#entries.push({
      source,
      current: undefined,
      state: "UNAVAILABLE",
      reason: "not loaded yet",
      wanted: true,
      stamp: undefined,
      turn: Promise.resolve(),
    });
  }

  async #loadEach(entries: readonly Entry[]): Promise<void> {
    const results = await Promise.allSettled(entries.map((entry) => this.#load(entry)));
    for (const result of results) if (result.status === "rejected") throw result.reason;
  }

  #inTurn(entry: Entry, work: () => Promise<void>): Promise<void> {
    const done = entry.turn.then(work);
    entry.turn = done.catch(() => {});
    return done;
  }

  #load(entry: Entry): Promise<void> {
    return this.#inTurn(entry, async () => {
      const { log, onLoad } = this.#options;
      const { name, path } = entry.source;
      entry.wanted = true;
      if (entry.current === undefined) Object.assign(entry, { state: "LOADING", reason: "" });
      const started = performance.now();
      try {
        entry.stamp = await fileStamp(path);
        const version = await contentVersion(path);
        const classifier = await this.#options.open(path);
        const { batching, onBatch } = this.#options;
        const model = await LoadedModel.probe({ name, version, path }, classifier, {
          ...batching,
          onBatch: (size) => onBatch?.(name, size),
        });
        const old = entry.current;
        Object.assign(entry, { current: model, state: "READY", reason: "" });
        if (old !== undefined) void this.#retire(old);
        log.info("model loaded", {
          model: name,
          version,
          path,
          ...(old ? { replaces: old.identity.version } : {}),
          milliseconds: Math.round(performance.now() - started),
        });
        onLoad?.(entry.source, true);
      } catch (error) {
        const reason = (error as Error).message;
        if (entry.current === undefined) Object.assign(entry, { state: "UNAVAILABLE", reason });
        else entry.reason = `the last reload failed: ${reason}`;
        log.error("model not loaded", {
          model: name,
          path,
          error: reason,
          stillServing: entry.current?.identity.version,
        });
        onLoad?.(entry.source, false);
        throw error;
      }
    });
  }

  #retire(model: LoadedModel): Promise<void> {
    const { name, version } = model.identity;
    const done = model.retire().then(
      () => this.#options.log.info("model freed", { model: name, version }),
      (error: Error) =>
        this.#options.log.warn("model not freed", { model: name, version, error: error.message }),
    );
    this.#retiring.add(done);
    return done.finally(() => this.#retiring.delete(done));
  }
}
