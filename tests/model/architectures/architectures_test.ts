import { UserError } from "../../../engine/errors.ts";
import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  architecture,
  type ArchitectureOptions,
  ARCHITECTURES,
  smallestSize,
  smallestSizes,
} from "../../../model/architectures/registry.ts";
import { type Architecture, describeLayers, Network } from "../../../model/network.ts";
import { block, squareNetwork } from "../../../model/architectures/parts.ts";
import { conv2d } from "../../../model/layers/conv2d.ts";
import { product } from "../../../model/parameters.ts";
import { initialValues } from "../../../model/init.ts";
import { checkGradients } from "../gradient_check.ts";
import { fillParameters, infer, noise, normalisedError, referenceLogits, withGpu } from "../harness.ts";

function parameters(network: Architecture) {
  return describeLayers(network, Infinity).flatMap(({ name, parameters }) =>
    parameters.map((spec) => ({ name: `${name}.${spec.name}`, spec }))
  );
}

function trainedCount(name: string, options: ArchitectureOptions): number {
  return parameters(architecture(name, options)).filter(({ spec }) => spec.trained)
    .reduce((sum, { spec }) => sum + product(spec.shape), 0);
}

/** Side of the feature map after each layer of a kind. */
function sides(name: string, size: number, kind: string): number[] {
  return describeLayers(architecture(name, { classes: 3, size }), Infinity)
    .filter(({ layer }) => layer.kind === kind).map(({ output }) => output.h);
}

Deno.test("architectures have the published numbers of parameters", () => {
  assertEquals(trainedCount("compact", { classes: 3 }), 111_267);
  assertEquals(trainedCount("compact-bn", { classes: 3 }), 111_747);
  for (const size of [63, 224, 300]) {
    assertEquals(trainedCount("alexnet", { classes: 1000, size }), 61_100_840);
  }
  for (const size of [224, 227]) {
    assertEquals(trainedCount("alexnet-2012", { classes: 1000, size }), 60_965_224);
  }
  assertEquals(trainedCount("alexnet", { classes: 3 }), 61_100_840 - 997 * 4097);
  assertEquals(trainedCount("resnet18", { classes: 1000 }), 11_689_512);
  assertEquals(trainedCount("compact-res", { classes: 3 }), 886_075);
});

Deno.test("alexnet has torchvision's names and shapes", () => {
  const list = parameters(architecture("alexnet", { classes: 10 }));
  assertEquals(list.map(({ name, spec }) => `${name} ${spec.shape}`), [
    "features.0.weight 64,3,11,11",
    "features.0.bias 64",
    "features.3.weight 192,64,5,5",
    "features.3.bias 192",
    "features.6.weight 384,192,3,3",
    "features.6.bias 384",
    "features.8.weight 256,384,3,3",
    "features.8.bias 256",
    "features.10.weight 256,256,3,3",
    "features.10.bias 256",
    "classifier.1.weight 4096,9216",
    "classifier.1.bias 4096",
    "classifier.4.weight 4096,4096",
    "classifier.4.bias 4096",
    "classifier.6.weight 10,4096",
    "classifier.6.bias 10",
  ]);
});

Deno.test("alexnet-2012 has the map sizes of the paper's figure, whether the input is 224 or 227", () => {
  for (const size of [224, 227]) {
    assertEquals(sides("alexnet-2012", size, "conv2d"), [55, 27, 13, 13, 13]);
    assertEquals(sides("alexnet-2012", size, "local_response_norm"), [55, 27]);
    assertEquals(sides("alexnet-2012", size, "max_pool"), [27, 13, 6]);
  }
  assertEquals(architecture("alexnet-2012", { classes: 3 }).input.h, 227);
  const shapes = parameters(architecture("alexnet-2012", { classes: 1000 })).map(({ spec }) =>
    `${spec.shape}`
  );
  assertEquals(shapes.filter((s) => s.includes(",")), [
    "96,3,11,11",
    "256,48,5,5",
    "384,256,3,3",
    "384,192,3,3",
    "256,192,3,3",
    "4096,9216",
    "4096,4096",
    "1000,4096",
  ]);
});

Deno.test("alexnet-2012 normalises as the paper's formula: alpha 1e-4 for the sum over five channels", () => {
  const norms = architecture("alexnet-2012", { classes: 3 }).layers.map(({ layer }) => layer)
    .filter(({ kind }) => kind === "local_response_norm");
  assertEquals(norms.length, 2);
  for (const { options } of norms) {
    const { size, alpha, beta, k } = options as Record<string, number>;
    assertEquals([size, alpha! / size!, beta, k], [5, 1e-4, 0.75, 2]);
  }
});

Deno.test("alexnet-2012 starts as the paper says: deviation 0.01, biases 1 in layers 2, 4, 5, 6 and 7", () => {
  const biases = [];
  for (const { name, spec } of parameters(architecture("alexnet-2012", { classes: 3 }))) {
    if (name.endsWith("bias")) biases.push(initialValues(spec, name, 1)[0]);
    else assertEquals(spec.init, { kind: "normal", std: 0.01 });
  }
  assertEquals(biases, [0, 1, 0, 1, 1, 1, 1, 0]);
});

Deno.test("resnet18 has torchvision's names and shapes", () => {
  const list = parameters(architecture("resnet18", { classes: 10 }))
    .map(({ name, spec }) => `${name} ${spec.shape}`);
  assertEquals(list.length, 20 + 20 * 4 + 2);
  assertEquals(list.slice(0, 5), [
    "conv1.weight 64,3,7,7",
    "bn1.weight 64",
    "bn1.bias 64",
    "bn1.running_mean 64",
    "bn1.running_var 64",
  ]);
  for (
    const one of [
      "layer1.0.conv1.weight 64,64,3,3",
      "layer2.0.downsample.0.weight 128,64,1,1",
      "layer2.0.downsample.1.running_var 128",
      "layer4.1.bn2.bias 512",
      "fc.weight 10,512",
      "fc.bias 10",
    ]
  ) assert(list.includes(one), one);
});

Deno.test("compact-bn normalises between convolution and ReLU", () => {
  const { layers } = architecture("compact-bn", { classes: 3 });
  const kinds = layers.map(({ layer }) => layer.kind);
  const block = ["conv2d", "batch_norm", "relu"];
  assertEquals(kinds, [...block, "max_pool", ...block, ...block, ...block, "flatten", "linear"]);
  assertEquals(sides("compact-bn", 224, "conv2d"), [111, 27, 13, 6]);
});

Deno.test("every architecture takes its smallest input and refuses one pixel less", () => {
  const smallest = {
    "compact": 61,
    "compact-bn": 61,
    "compact-res": 32,
    "alexnet": 63,
    "alexnet-2012": 63,
    "resnet18": 32,
  };
  assertEquals(Object.keys(smallest), Object.keys(ARCHITECTURES));
  for (const [name, size] of Object.entries(smallest)) {
    describeLayers(architecture(name, { classes: 3, size }), Infinity);
    const words = `Cannot build ${name}: its input is ${size - 1}x${
      size - 1
    }, wanted at least ${size}x${size}`;
    assertThrows(() => architecture(name, { classes: 3, size: size - 1 }), UserError, words);
    assertEquals(smallestSize(name), size);
  }
  assertEquals(
    smallestSizes(),
    "61 for compact, compact-bn; 32 for compact-res, resnet18; 63 for alexnet, alexnet-2012",
  );
});

Deno.test("the smallest input of a network follows from its layers", () => {
  // Each convolution halves the map: after n of them without padding it needs 2^(n+1) - 1 pixels, with padding its step.
  for (const count of [1, 2, 3, 4]) {
    const convs = (padding: number) =>
      Array.from({ length: count }, () => conv2d({ in: 3, out: 3, kernel: 3, stride: 2, padding }));
    for (const [padding, wanted] of [[0, 2 ** (count + 1) - 1], [1, 2 ** count]] as const) {
      const make = (size: number) => squareNetwork("halves", size, () => block("features", convs(padding)));
      assertEquals(make(wanted).input, { c: 3, h: wanted, w: wanted });
      assertThrows(() => make(wanted - 1), UserError, `wanted at least ${wanted}x${wanted}`);
    }
  }
});

Deno.test("an unknown architecture is refused with the known ones", () => {
  for (const name of ["vgg", "", "toString", "__proto__"]) {
    const words = `Cannot find model ${name}: known ones are ${Object.keys(ARCHITECTURES).join(", ")}`;
    assertThrows(() => architecture(name, { classes: 3 }), UserError, words);
  }
});

// Sizes at which the maps have odd borders and alexnet's average is not the identity; dropout is on in training.
for (
  const [name, size, batch] of [
    ["compact-bn", 131, 2],
    ["compact-res", 33, 2],
    ["alexnet", 71, 1],
    ["alexnet-2012", 67, 1],
  ] as const
) {
  Deno.test(`${name} agrees with plain loops, forward and backward`, () =>
    withGpu(async (gpu) => {
      using network = new Network(gpu, architecture(name, { classes: 4, size }));
      fillParameters(network);
      const input = noise(batch * 3 * size * size);
      const expected = referenceLogits(network.architecture, await network.parameters.read(), input);
      assert(normalisedError(await infer(network, input), expected) < 1e-5);
      await checkGradients(network, input, [3, 1, 0].slice(0, batch), 1e-4);
    }));
}
