/**
 * Everything a run needs to go on as if it had not stopped: weights, optimiser state, weight average and progress, in one
 * safetensors file, so that a crash never leaves parts of different steps.
 * @module
 */
import type { Communicator } from "../../distributed/communicator.ts";
import { shareMemory } from "../../distributed/share_memory.ts";
import type { Gpu } from "../../engine/device.ts";
import { tilesId } from "../../engine/kernels/matmul/tiles.ts";
import type { Tensor } from "../../engine/tensor.ts";
import type { ModelCard, TrainingRecord } from "../../model/checkpoint/card.ts";
import {
  type Checkpoint,
  CheckpointError,
  loadTensors,
  saveTensors,
  type TensorValue,
} from "../../model/checkpoint/checkpoint.ts";
import type { Network } from "../../model/network.ts";
import type { WeightAverage } from "../step/average.ts";
import type { Optimizer } from "../step/optimizer.ts";
import { type Progress, progressSchema } from "./progress.ts";
import { readJson } from "../photos/photo_list.ts";
import type { RunFolder } from "./run_folder.ts";

/** What computes on a device: the adapter and which tiles cut its products. */
function deviceOf(gpu: Gpu): NonNullable<Progress["device"]> {
  return { adapter: gpu.name, tiles: tilesId(gpu) };
}

/** Says where a run goes on, and whether on the device that it was on. */
export function resumedText({ step, device }: Progress, gpu: Gpu): string {
  const now = deviceOf(gpu);
  if (device?.adapter === now.adapter && device.tiles === now.tiles) return `Resumed   after step ${step}`;
  const then = device ? `${device.adapter} with tiles ${device.tiles}` : "an unknown adapter";
  return `Resumed   after step ${step}, which was done on ${then}: what follows is close to the unbroken run, not bitwise equal`;
}

/** What is saved and restored. */
export interface Trained {
  /** The weights that are trained. */
  readonly network: Network;
  /** With its state. */
  readonly optimizer: Optimizer;
  /** The average of the weights, where one is kept. */
  readonly average: WeightAverage | undefined;
}

/** Sets of tensors by the prefix they have in the file, in the layout of the network's arenas. */
function parts({ network, optimizer, average }: Trained): Map<string, readonly (Tensor | undefined)[]> {
  const arenas = ({ parameters }: Network) => parameters.arenas.map((a) => a.values);
  return new Map([
    ["model", arenas(network)],
    ...[...optimizer.state].map(([name, tensors]) => [`optimizer.${name}`, tensors] as const),
    ...average ? [["average", arenas(average.network)] as const] : [],
  ]);
}

/** Writes the state in one step; throws a `CheckpointError` and leaves the old file as it was. */
export async function saveState(path: string, trained: Trained, progress: Progress): Promise<void> {
  const { parameters } = trained.network;
  const tensors = new Map<string, TensorValue>();
  for (const [prefix, arenas] of parts(trained)) {
    for (const [name, data] of await parameters.read(undefined, arenas)) {
      tensors.set(`${prefix}.${name}`, { shape: [...parameters.get(name).spec.shape], data });
    }
  }
  await saveTensors(path, tensors, {
    progress: JSON.stringify({ ...progress, device: deviceOf(trained.network.gpu) }),
  });
}

/** Reads the state into device memory; throws a `CheckpointError` that names what is missing or does not fit. */
export async function loadState(path: string, trained: Trained): Promise<Progress> {
  const { metadata, tensors } = await loadTensors(path);
  const progress = progressSchema.safeParse(readJson(metadata.progress));
  if (!progress.success) {
    throw new CheckpointError(`Cannot resume from ${path}: it holds no training progress`);
  }
  const { parameters } = trained.network;
  const wanted = [...parts(trained)].flatMap(([prefix, arenas]) =>
    parameters.all
      .filter((p) => p.arenas.every((a) => arenas[a]))
      .map(({ name, spec }) => ({ key: `${prefix}.${name}`, name, shape: spec.shape, arenas }))
  );
  for (const { key, shape } of wanted) {
    const found = tensors.get(key);
    if (found && `${found.shape}` === `${shape}`) continue;
    const got = found ? `is [${found.shape}]` : "is missing";
    throw new CheckpointError(`Cannot resume from ${path}: ${key} ${got}, wanted [${shape}]`);
  }
  for (const { key, name, arenas } of wanted) parameters.write(name, tensors.get(key)!.data, arenas);
  return progress.data;
}

/** Writes a run's checkpoints and state. */
export class RunSaver {
  /** Writes to `folder`; `card` is what every checkpoint says about itself, `recipe` how it was trained. */
  constructor(
    readonly folder: RunFolder,
    readonly trained: Trained,
    readonly card: Omit<ModelCard, "training">,
    readonly recipe: TrainingRecord,
  ) {}

  /** What is validated and kept: the network, or the average of its weights. */
  get kept(): Network {
    return this.trained.average?.network ?? this.trained.network;
  }

  /** Gives every rank what the first has on its device: weights, optimiser state, average. */
  async share(ranks: Communicator): Promise<void> {
    const { network: { gpu } } = this.trained;
    const tensors = [...parts(this.trained).values()].flat().filter((tensor) => tensor !== undefined);
    await shareMemory(ranks, gpu, tensors);
  }

  /** Writes `best.safetensors`. */
  async best(training: Progress["training"]): Promise<void> {
    if (!this.folder.writes) return;
    await this.folder.save("best", await this.#checkpoint(training));
  }

  /** Writes the file of the epoch that has ended. */
  async epoch(training: Progress["training"]): Promise<void> {
    if (!this.folder.writes || training.epoch === undefined) return;
    await this.folder.save(`epoch-${training.epoch}`, await this.#checkpoint(training));
  }

  /**
   * Writes the state and `last.safetensors` beside it; resolves with the latter's path. The state comes first: a folder with a
   * checkpoint and no state is one that someone took the state from.
   */
  async last(progress: Progress): Promise<string> {
    const training = { ...progress.training, step: progress.step };
    await this.state(progress);
    if (!this.folder.writes) return this.folder.file("last.safetensors");
    return await this.folder.save("last", await this.#checkpoint(training));
  }

  /** Writes the state alone. */
  async state(progress: Progress): Promise<void> {
    if (!this.folder.writes) return;
    await saveState(this.folder.file("last.state.safetensors"), this.trained, progress);
  }

  async #checkpoint(training: Progress["training"]): Promise<Checkpoint> {
    const { parameters } = this.kept;
    const values = await parameters.read();
    const tensors = new Map(
      parameters.all.map(({ name, spec }) => [name, { shape: [...spec.shape], data: values.get(name)! }]),
    );
    return { card: { ...this.card, training: { ...this.recipe, ...training } }, tensors };
  }
}
