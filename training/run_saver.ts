/** @module */
import type { ModelCard } from "../model/checkpoint/card.ts";
import type { Checkpoint } from "../model/checkpoint/checkpoint.ts";
import type { Network } from "../model/network.ts";
import type { RunFolder } from "./run_folder.ts";
import { type Progress, saveState, type Trained } from "./state.ts";

/** Writes a run's checkpoints and state. */
export class RunSaver {
  constructor(
    readonly folder: RunFolder,
    readonly trained: Trained,
    readonly card: Omit<ModelCard, "training">,
  ) {}

  /** What is validated and kept: the network, or the average of its weights. */
  get judged(): Network {
    return this.trained.average?.network ?? this.trained.network;
  }

  /** Writes `best.safetensors`. */
  async best(training: Progress["training"]): Promise<void> {
    await this.folder.save("best", await this.#checkpoint(training));
  }

  /** Writes `last.safetensors` and the state beside it; resolves with the former's path. */
  async last(progress: Progress): Promise<string> {
    const training = { ...progress.training, step: progress.step };
    const path = await this.folder.save("last", await this.#checkpoint(training));
    await this.state(progress);
    return path;
  }

  /** Writes the state alone. */
  async state(progress: Progress): Promise<void> {
    await saveState(this.folder.file("last.state.safetensors"), this.trained, progress);
  }

  async #checkpoint(training: Progress["training"]): Promise<Checkpoint> {
    const { parameters } = this.judged;
    const values = await parameters.read();
    const tensors = new Map(
      parameters.all.map(({ name, spec }) => [name, { shape: [...spec.shape], data: values.get(name)! }]),
    );
    return { card: { ...this.card, training }, tensors };
  }
}
