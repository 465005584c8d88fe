/**
 * Progressive resizing: a run's first epochs on smaller inputs, with the same weights, for a part of the work.
 * @module
 */
import type { Gpu } from "../../engine/device.ts";
import { architecture } from "../../model/architectures/registry.ts";
import { Network } from "../../model/network.ts";
import type { RunOptions } from "../options/options.ts";

/** What decides how large a run's training inputs are. */
export type StageOptions = Pick<RunOptions, "size" | "startSize" | "startShare">;

/** Height and width of the training input in an epoch, counted from 0, of that many. */
export function sizeOfEpoch(
  { size, startSize = size, startShare }: StageOptions,
  epoch: number,
  epochs: number,
): number {
  return epoch < Math.round(epochs * startShare) ? startSize : size;
}

/** The network for training inputs of that size: itself, or another one over its parameters. Throws a `UserError` where these do not fit. */
export function networkOfSize(network: Network, size: number): Network {
  const { name, input } = network.architecture;
  if (input.h === size) return network;
  return new Network(network.gpu, architecture(name, { classes: network.output.c, size }), {
    share: network,
  });
}

/** Throws a `UserError` where the model of these options cannot have one set of weights for both sizes. */
export function requireStages(
  gpu: Gpu,
  { model, size, startSize = size }: StageOptions & Pick<RunOptions, "model">,
): void {
  if (startSize === size) return;
  using network = new Network(gpu, architecture(model, { classes: 2, size }));
  networkOfSize(network, startSize);
}
