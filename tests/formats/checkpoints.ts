/** Checkpoints of arbitrary weights, for tests of formats. */
import { defaultPreprocess } from "../../data/preprocess.ts";
import type { ModelCard } from "../../model/checkpoint/card.ts";
import type { Checkpoint } from "../../model/checkpoint/checkpoint.ts";
import type { Network } from "../../model/network.ts";
import { fillParameters } from "../model/harness.ts";

/** Fills a network with arbitrary weights and statistics and returns them as a checkpoint. */
export async function someCheckpoint(network: Network): Promise<Checkpoint> {
  const { parameters, architecture, output } = network;
  fillParameters(network);
  const values = await parameters.read();
  const card: ModelCard = {
    model: architecture.name,
    classes: Array.from({ length: output.c }, (_, i) => `class ${i}`),
    preprocess: { ...defaultPreprocess(architecture.input.h), channels: "BGR" },
    parameters: parameters.count,
  };
  const tensors = new Map(parameters.all.map(({ name, spec }) => {
    return [name, { shape: spec.shape, data: values.get(name)! }] as const;
  }));
  return { card, tensors };
}
