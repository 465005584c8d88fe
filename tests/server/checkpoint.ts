/**
 * A compact network with random weights, as a checkpoint file.
 * @module
 */
import { architecture } from "../../model/architectures/alexnet.ts";
import { defaultPreprocess } from "../../model/checkpoint/card.ts";
import { saveCheckpoint, type TensorValue } from "../../model/checkpoint/checkpoint.ts";
import { initialValues } from "../../model/init.ts";
import { describeLayers } from "../../model/network.ts";

/** Writes it; the same seed gives the same weights. */
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
