/**
 * Everything a run needs to go on as if it had not stopped: weights, optimiser state, weight average and progress, in one
 * safetensors file, so that a crash never leaves parts of different steps.
 * @module
 */
import { z } from "zod";
import { trainingRecordSchema } from "../model/checkpoint/card.ts";
import {
  CheckpointError,
  loadTensors,
  saveTensors,
  type TensorValue,
} from "../model/checkpoint/checkpoint.ts";
import type { Network } from "../model/network.ts";
import type { Gpu } from "../engine/gpu.ts";
import type { Tensor } from "../engine/tensor.ts";
import { tilesId } from "../engine/kernels/matmul/tiles.ts";
import type { WeightAverage } from "./average.ts";
import type { Optimizer } from "./optimizer.ts";

const progressSchema = z.object({
  /** Steps done. */
  step: z.int().nonnegative(),
  /** Whole epochs done. */
  epoch: z.int().nonnegative(),
  /** Sums over the part of the epoch that is done. */
  sums: z.object({ images: z.number(), loss: z.number(), hits: z.number() }),
  /** The best checkpoint's validation. */
  best: z.object({ accuracy: z.number(), loss: z.number() }).optional(),
  /** What computed it: only the same adapter with the same tiles goes on bit by bit. */
  device: z.object({ adapter: z.string(), tiles: z.string() }).optional(),
  /** What the last epoch's checkpoint says about itself. */
  training: trainingRecordSchema,
});

/** How far a run has come. */
export type Progress = z.infer<typeof progressSchema>;

/** A run that has not begun. */
export const START: Progress = {
  step: 0,
  epoch: 0,
  sums: { images: 0, loss: 0, hits: 0 },
  training: { epoch: 0, step: 0 },
};

/** What computes on a device: the adapter and which tiles cut its products. */
export function deviceOf(gpu: Gpu): NonNullable<Progress["device"]> {
  return { adapter: gpu.name, tiles: tilesId(gpu) };
}

/** What is saved and restored. */
export interface Trained {
  readonly network: Network;
  readonly optimizer: Optimizer;
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

function readJson(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? "null");
  } catch {
    return undefined;
  }
}
