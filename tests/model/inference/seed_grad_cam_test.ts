import { assert, assertEquals } from "@std/assert";
import { Plan } from "../../../engine/plan.ts";
import { readTensors, writeTensor } from "../../../engine/tensor.ts";
import { readHermosayhlCnn } from "../../../formats/hermosayhl_cnn.ts";
import { architecture } from "../../../model/architectures/registry.ts";
import { gradCam } from "../../../model/inference/grad_cam.ts";
import { Network } from "../../../model/network.ts";
import { normalisedError, toNchw, toNhwc, withGpu } from "../harness.ts";
import { haveSeed, seedFloats, seedJson, seedPath } from "../hermosayhl_cnn.ts";

/** Largest difference, as a part of the largest value wanted. */
const TOLERANCE = 1e-3;

Deno.test({
  name:
    "a convolution named as the layer is explained before its ReLU: features, gradient and map are the C++ program's network's",
  ignore: !haveSeed,
  fn: () =>
    withGpu(async (gpu) => {
      const [wanted] = seedJson("gradcam/gradcam.json");
      const { images } = seedJson("forward.json");
      const photo = images.find(({ image }: { image: string }) => image === wanted.image);
      const file = Deno.readFileSync(seedPath("step_plain/before.model"));
      const { card, tensors } = readHermosayhlCnn(file, ["dog", "panda", "bird"]);
      using network = new Network(gpu, architecture(card.model, { classes: 3, size: 224 }));
      network.load(tensors);
      const convolutions = network.maps.filter((name) => tensors.has(`${name}.weight`));
      using plan = new Plan(gpu, "test explanation");
      const x = network.inputTensor(plan, 1), dLogits = plan.tensor([1, 1, 1, 3]);
      const built = network.buildExplanation(plan, x, dLogits, convolutions[2]);
      await plan.compile();
      writeTensor(gpu, x, toNhwc(seedFloats(photo.input), 3, 224 * 224));
      writeTensor(gpu, dLogits, new Float32Array(dLogits.size).fill(1, wanted.class, wanted.class + 1));
      plan.run();
      const [features, gradient] = await readTensors(gpu, [built.features, built.gradient]);
      const [c, h, w] = wanted.feature_shape;
      assertEquals(built.features.shape, [1, h, w, c]);
      const { files } = wanted;
      const planes = (values: Float32Array) => toNchw(values, c, h * w);
      const off = (got: ArrayLike<number>, name: string) =>
        normalisedError(got, seedFloats(`gradcam/${name}`));
      assert(off(planes(features!), files.features) < TOLERANCE);
      assert(off(planes(gradient!), files.dlogit_dfeature) < TOLERANCE);
      const cam = seedFloats(`gradcam/${files.true_gradcam_before_relu}`), top = Math.max(...cam);
      const { data } = gradCam(features!, gradient!, h, w);
      assert(normalisedError(data, cam.map((value) => Math.max(0, value) / top)) < TOLERANCE);
    }),
});
