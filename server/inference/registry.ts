/**
 * The models that are served: by name, each with one or more versions, replaced while requests run.
 * @module
 */
import { type ModelSource, withoutFolder } from "./checkpoint_file.ts";
import { RequestError, UnavailableError } from "./errors.ts";
import { type EntryOptions, type IndexEntry, type LoadedModel, ModelEntry } from "./served_model.ts";

/** How models are opened and served, and found. */
export interface RegistryOptions extends EntryOptions {
  /** Lists checkpoints that may be loaded by name beside those named at start. */
  readonly available?: () => Promise<readonly ModelSource[]>;
}

/** The served models. The first source given is the default model. */
export class ModelRegistry {
  readonly #options: RegistryOptions;
  readonly #entries: ModelEntry[];

  constructor(sources: readonly ModelSource[], options: RegistryOptions) {
    this.#options = options;
    this.#entries = sources.map((source) => new ModelEntry(source, options));
  }

  /** Names in the order they were given. */
  get names(): string[] {
    return [...new Set(this.#wanted.map((entry) => entry.source.name))];
  }

  /** Every version that can answer now. */
  get models(): LoadedModel[] {
    return this.#entries.flatMap((entry) => entry.current ?? []);
  }

  /** Whether at least one model is wanted and all that are can answer. */
  get ready(): boolean {
    const wanted = this.#wanted;
    return wanted.length > 0 && wanted.every((entry) => entry.current !== undefined);
  }

  get #wanted(): ModelEntry[] {
    return this.#entries.filter((entry) => entry.wanted);
  }

  /**
   * The version asked for, or the last one given of that name, or of the default model. Throws a `RequestError`: 404 for what is not
   * served, 503 for what is but cannot answer now.
   */
  resolve(name?: string, version?: string): LoadedModel {
    const chosen = name ?? this.names[0];
    const entries = this.#wanted.filter((entry) => entry.source.name === chosen);
    if (entries.length === 0) {
      const known = this.names.join(", ") || "none";
      throw new RequestError(
        404,
        `Cannot find a model named ${JSON.stringify(chosen ?? "")}; served: ${known}`,
      );
    }
    const loaded = entries.flatMap((entry) => entry.current ?? []);
    const model = version === undefined
      ? loaded.at(-1)
      : loaded.find((candidate) => candidate.identity.version === version);
    if (model !== undefined) return model;
    if (loaded.length === 0) {
      throw new UnavailableError(
        `Cannot answer: model ${chosen} is not ready (${entries.at(-1)!.reason || "it is being loaded"})`,
      );
    }
    const known = loaded.map((candidate) => candidate.identity.version).join(", ");
    throw new RequestError(
      404,
      `Cannot find version ${JSON.stringify(version)} of model ${chosen}; served: ${known}`,
    );
  }

  /** What was named or loaded so far, and in which state. */
  index(): IndexEntry[] {
    return this.#entries.map((entry) => entry.describe());
  }

  /** As `index`, and what else could be loaded. */
  async list(): Promise<IndexEntry[]> {
    const known = new Set(this.#entries.map((entry) => entry.source.name));
    const others = (await this.#available()).filter(({ name }) => !known.has(name));
    return [
      ...this.index(),
      ...others.map(({ name }) => ({ name, state: "UNAVAILABLE" as const, reason: "not loaded yet" })),
    ];
  }

  /** Loads every model that is wanted and not there; rejects with the first failure, after all were tried. */
  async loadMissing(): Promise<void> {
    await forEach(this.#wanted.filter((entry) => entry.current === undefined), (entry) => entry.load());
  }

  /** Loads every wanted model again, changed or not; rejects with the first failure, after all were tried. */
  async reloadAll(): Promise<void> {
    await forEach(this.#wanted, (entry) => entry.load());
  }

  /** Loads again what changed on disk since it was last tried; a file that is gone or bad leaves the old one serving. */
  async reloadChanged(): Promise<void> {
    await forEach(this.#wanted, (entry) => entry.loadIfChanged());
  }

  /**
   * Loads a model again soon after its file was replaced. Looks at the files instead of asking the system for events: that also works
   * on network drives and container mounts, and one look a second costs nothing. Dispose of the result to stop.
   */
  watch(intervalMs: number): Disposable {
    let looking = false;
    const timer = setInterval(async () => {
      if (looking) return;
      looking = true;
      await this.reloadChanged().finally(() => looking = false);
    }, intervalMs);
    return { [Symbol.dispose]: () => clearInterval(timer) };
  }

  /**
   * Loads a model, or loads it again: every version of the name. Rejects while the old one goes on serving, without telling where files
   * lie: whoever asks may be far away.
   */
  async load(name: string): Promise<void> {
    if (this.#named(name).length === 0) {
      const source = (await this.#available()).find((source) => source.name === name);
      if (source === undefined) {
        throw new RequestError(404, `Cannot load model ${JSON.stringify(name)}: it is not known`);
      }
      this.#entries.push(new ModelEntry(source, this.#options));
    }
    await forEach(this.#named(name), (entry) =>
      entry.load().catch((error: Error) => {
        throw new Error(withoutFolder(error.message, entry.source.path), { cause: error });
      }));
  }

  /** Takes a model out of service: its queue is finished, then it is freed. */
  async unload(name: string): Promise<void> {
    const entries = this.#named(name);
    if (entries.length === 0) {
      throw new RequestError(404, `Cannot unload model ${JSON.stringify(name)}: it is not known`);
    }
    await forEach(entries, (entry) => entry.unload());
  }

  /** The device is gone, and with it every model; nothing is left to close. */
  suspend(reason: string): void {
    for (const entry of this.#entries) if (entry.current !== undefined) entry.suspend(reason);
  }

  #named(name: string): ModelEntry[] {
    return this.#entries.filter((entry) => entry.source.name === name);
  }

  async #available(): Promise<readonly ModelSource[]> {
    return await this.#options.available?.() ?? [];
  }
}

/** Does it to all of them at once; rejects with the first failure, after all are done. */
async function forEach(
  entries: readonly ModelEntry[],
  act: (entry: ModelEntry) => Promise<void>,
): Promise<void> {
  for (const result of await Promise.allSettled(entries.map(act))) {
    if (result.status === "rejected") throw result.reason;
  }
}
