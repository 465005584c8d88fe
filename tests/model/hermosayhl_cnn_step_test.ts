import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { sgd } from "../../engine/kernels/optimizer/optimizer.ts";
import { Plan } from "../../engine/plan.ts";
import { destroyTensor, readTensor, type Tensor } from "../../engine/tensor.ts";
import { readHermosayhlCnn } from "../../formats/hermosayhl_cnn.ts";
import { architecture } from "../../model/architectures/registry.ts";
import { Network } from "../../model/network.ts";
import type { Gpu } from "../../engine/gpu.ts";
import { testNeeding } from "../permissions.ts";
import { infer, normalisedError, TestStep, toNchw, withGpu } from "./harness.ts";
import { haveSeed, seedFloats, seedJson, seedPath } from "./hermosayhl_cnn.ts";

const test = testNeeding("read");
const classes = ["dog", "panda", "bird"];

function readModel(name: string) {
  return readHermosayhlCnn(Deno.readFileSync(seedPath(name)), classes);
}

function networkOf(gpu: Gpu, model: ReturnType<typeof readModel>): Network {
  const network = new Network(gpu, architecture(model.card.model, { classes: 3 }));
  network.load(model.tensors);
  return network;
}

/** Inputs of the training step, in order. */
const INPUTS = ["09_dogs_00001", "16_panda_00001", "23_Acadian_Flycatcher_0047_795593", "10_dogs_00002"];

test({
  name: "the C++ program's logits for its own 15 inputs are reproduced",
  ignore: !haveSeed,
  fn: () =>
    withGpu(async (gpu) => {
      const { checkpoint, images } = seedJson("forward.json");
      assertEquals(images.length, 15);
      using network = networkOf(gpu, readModel(checkpoint));
      for (const { input, logits, argmax } of images) {
        const actual = await infer(network, seedFloats(input));
        assert(normalisedError(actual, logits) < 1e-5, `${input}: ${actual}, wanted ${logits}`);
        assertEquals(actual.indexOf(Math.max(...actual)), argmax);
      }
    }),
});

for (const folder of ["step_plain", "step_init"]) {
  test({
    name: `the C++ program's training step is reproduced: ${folder}`,
    ignore: !haveSeed,
    fn: () => withGpu((gpu) => compareStep(gpu, folder)),
  });
}

async function compareStep(gpu: Gpu, folder: string): Promise<void> {
  const expected = seedJson(`${folder}/step.json`);
  using network = networkOf(gpu, readModel(`${folder}/before.model`));
  using plan = new Plan(gpu, "seed step");
  using step = new TestStep(plan, network, 4);
  const velocities = network.parameters.zerosLike("velocity");
  step.writeParams({ lr: expected.lr, gradScale: 1, step: 1 });
  network.parameters.arenas.forEach(({ values: parameter }, i) => {
    const gradient = step.gradients[i], velocity = velocities[i];
    if (gradient && velocity) sgd(plan, { parameter, gradient, velocity, params: step.params });
  });
  await plan.compile();
  const inputs = INPUTS.flatMap((name) => [...seedFloats(`inputs/${name}.f32`)]);
  step.write(Float32Array.from(inputs), expected.labels);
  plan.run();
  const { logits, loss, gradients } = await step.read();

  assert(normalisedError(logits, expected.logits) < 1e-5);
  assertAlmostEquals(loss, expected.loss, 1e-5 * expected.loss);
  const all = seedFloats(`${folder}/grads_f64.f32`);
  const names = [...gradients.keys()];
  assertEquals(names.length, expected.grads.tensors.length);
  for (const [i, { offset, count, shape }] of expected.grads.tensors.entries()) {
    const raw = all.subarray(offset, offset + count);
    const wanted = shape.length === 2 ? toNchw(raw, shape[1], shape[0]) : raw; // linear weights are [in, out]
    const error = normalisedError(gradients.get(names[i]!)!, wanted);
    assert(error < 1e-5, `gradient of ${names[i]}: normalised error ${error}`);
  }
  const after = readModel(`${folder}/after.model`).tensors;
  for (const [name, values] of await network.parameters.read()) {
    const error = normalisedError(values, after.get(name)!.data);
    assert(error < 1e-6, `${name} after the step: normalised error ${error}`);
  }
  await compareLayers(gpu, step.sections, expected.layers, folder);
  velocities.forEach((t) => t && destroyTensor(gpu, t));
}

/** Our sections and the files of the C++ program that hold the same values; convolutions end in their ReLU here. */
const FORWARD = {
  "features.0": "01_relu_layer_1",
  "features.2": "02_max_pool_1",
  "features.3": "04_relu_layer_2",
  "features.5": "06_relu_layer_3",
  "features.7": "08_relu_layer_4",
  "classifier.1": "09_linear_1",
};

/** The same for gradients of a layer's input, behind the mask of the ReLU before it. */
const BACKWARD = {
  "classifier.1": "08_relu_layer_4",
  "features.7": "06_relu_layer_3",
  "features.5": "04_relu_layer_2",
  "features.3": "03_conv_layer_2",
  "features.2": "01_relu_layer_1",
};

/** Activations and their gradients of the batch's first image. */
async function compareLayers(
  gpu: Gpu,
  sections: readonly { layer: string; pass: string; output: Tensor | undefined }[],
  layers: readonly unknown[],
  folder: string,
): Promise<void> {
  if (layers.length === 0) return;
  for (
    const [pass, files, end] of [["forward", FORWARD, "out"], ["backward", BACKWARD, "grad_in"]] as const
  ) {
    for (const [layer, file] of Object.entries(files)) {
      const section = sections.find((s) => s.layer === layer && s.pass === pass);
      const output = section!.output!;
      const wanted = seedFloats(`${folder}/layers_sample0/${file}_${end}.f32`);
      const channels = layer === "classifier.1" && pass === "backward" ? 128 : output.shape[3]!;
      const values = (await readTensor(gpu, output)).subarray(0, wanted.length);
      const actual = toNchw(values, channels, wanted.length / channels);
      // The C++ program divides by the batch only where it adds up weight gradients.
      const scaled = pass === "backward" ? wanted.map((v) => v / 4) : wanted;
      const error = normalisedError(actual, scaled);
      assert(error < 1e-5, `${pass} of ${layer}: normalised error ${error}`);
    }
  }
}
