/** What the tests of classifiers share: a checkpoint that nothing was trained for. */
import { defaultPreprocess } from "../../../data/preprocess.ts";
import { architecture } from "../../../model/architectures/registry.ts";
import type { TensorValue } from "../../../model/checkpoint/checkpoint.ts";
import { initialValues } from "../../../model/init.ts";
import { describeLayers } from "../../../model/network.ts";

/** Side of its input. */
export const SIZE = 64;

/** A compact network with the weights of this seed. */
export function checkpointOf(classes: number, seed: number) {
  const tensors = new Map<string, TensorValue>();
  for (
    const { name, parameters } of describeLayers(architecture("compact", { classes, size: SIZE }), 2 ** 27)
  ) {
    for (const spec of parameters) {
      const full = `${name}.${spec.name}`;
      tensors.set(full, { shape: spec.shape, data: initialValues(spec, full, seed) });
    }
  }
  const names = Array.from({ length: classes }, (_, k) => `class ${k}`);
  const card = { model: "compact", classes: names, preprocess: defaultPreprocess(SIZE), parameters: 1 };
  return { card, tensors };
}
