/** Checkpoints of arbitrary weights, for tests of formats. */
import { defaultPreprocess } from "../../data/preprocess.ts";
import type { ModelCard } from "../../model/checkpoint/card.ts";
import { architecture } from "../../model/architectures/registry.ts";
import { type Checkpoint, saveCheckpoint, type TensorValue } from "../../model/checkpoint/checkpoint.ts";
import { initialValues } from "../../model/init.ts";
import { describeLayers, type Network } from "../../model/network.ts";
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

/** Writes a compact network with random weights; the same seed gives the same ones. */
export async function writeCheckpoint(
  path: string,
  seed: number,
  classes = ["bird", "dog", "panda"],
): Promise<void> {
  const size = 224;
  const tensors = new Map<string, TensorValue>();
  for (
    const { name, parameters } of describeLayers(
      architecture("compact", { classes: classes.length, size }),
      2 ** 27,
    )
  ) {
    for (const spec of parameters) {
      const full = `${name}.${spec.name}`;
      tensors.set(full, { shape: spec.shape, data: initialValues(spec, full, seed) });
    }
  }
  const parameters = [...tensors.values()].reduce((sum, { data }) => sum + data.length, 0);
  await saveCheckpoint(path, {
    card: { model: "compact", classes, preprocess: defaultPreprocess(size), parameters },
    tensors,
  });
}
