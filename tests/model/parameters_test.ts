import { assert, assertAlmostEquals, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { destroyTensor, readTensor, readTensors } from "../../engine/tensor.ts";
import { deviation, initialValues, streamOf } from "../../model/init.ts";
import type { Init, Layer, Shape } from "../../model/layer.ts";
import { conv2d } from "../../model/layers/conv2d.ts";
import { linear } from "../../model/layers/linear.ts";
import { ParameterStore, product } from "../../model/parameters.ts";
import { withGpu } from "./harness.ts";

function store(
  gpu: Parameters<Parameters<typeof withGpu>[0]>[0],
  layers: Record<string, [Layer, Shape]>,
  max = 2 ** 27,
) {
  const specs = Object.entries(layers).flatMap(([name, [layer, input]]) =>
    layer.describe(input, max).parameters.map((spec) => ({ name: `${name}.${spec.name}`, spec }))
  );
  return new ParameterStore(gpu, specs);
}

const ramp = (n: number) => Float32Array.from({ length: n }, (_, i) => i + 1);

Deno.test("convolution weights lie on the device as [kh, kw, in, out], zero outside their group", () =>
  withGpu(async (gpu) => {
    using parameters = store(gpu, {
      c: [conv2d({ in: 6, out: 4, kernel: 3, groups: 2 }), { c: 6, h: 5, w: 5 }],
    });
    const values = ramp(4 * 3 * 9); // [out 4][in of the group 3][3][3]
    parameters.write("c.weight", values);
    const device = await readTensor(gpu, parameters.get("c.weight").tensors[0]!);
    assertEquals(device.length, 9 * 8 * 4);
    for (let tap = 0; tap < 9; tap++) {
      for (let i = 0; i < 8; i++) {
        for (let o = 0; o < 4; o++) {
          const group = Math.floor(o / 2);
          const mine = i < 6 && Math.floor(i / 3) === group;
          const expected = mine ? values[(o * 3 + i - group * 3) * 9 + tap]! : 0;
          assertEquals(device[(tap * 8 + i) * 4 + o], expected, `tap ${tap}, in ${i}, out ${o}`);
        }
      }
    }
    assertEquals((await parameters.read()).get("c.weight"), values);
  }));

Deno.test("a large parameter is written in steps, each of whole rows, and reads back as it was", () =>
  withGpu(async (gpu) => {
    const input: Shape = { c: 1030, h: 1, w: 1, flattened: { c: 103, h: 5, w: 2 } };
    // 1040 rows of 2500 or, in two parts, of 1280 and 1220 columns; a step holds about a million elements.
    for (const [max, steps] of [[2 ** 27, 3], [6_000_000, 4]] as const) {
      using parameters = store(gpu, { l: [linear({ in: 1030, out: 2500 }), input] }, max);
      const values = ramp(2500 * 1030);
      assertEquals([...parameters.writeInSteps("l.weight", values)].length, steps);
      assertEquals((await parameters.read(["l.weight"])).get("l.weight"), values);
      const [first] = await readTensors(gpu, parameters.get("l.weight").tensors);
      const width = parameters.get("l.weight").tensors[0]!.shape[3]!;
      for (let row = 0; row < 1040; row++) {
        const pixel = Math.floor(row / 104), c = row % 104;
        assertEquals(first![row * width + 7], c < 103 ? values[7 * 1030 + c * 10 + pixel] : 0);
      }
    }
  }));

Deno.test("linear weights after a flatten lie in the order of NHWC memory, padded channels zero", () =>
  withGpu(async (gpu) => {
    const input: Shape = { c: 3 * 2 * 2, h: 1, w: 1, flattened: { c: 3, h: 2, w: 2 } };
    using parameters = store(gpu, { l: [linear({ in: 12, out: 5 }), input] });
    const values = ramp(5 * 12); // [out 5][c 3][h 2][w 2]
    parameters.write("l.weight", values);
    const device = await readTensor(gpu, parameters.get("l.weight").tensors[0]!);
    assertEquals(device.length, 4 * 4 * 5);
    for (let pixel = 0; pixel < 4; pixel++) {
      for (let c = 0; c < 4; c++) {
        for (let o = 0; o < 5; o++) {
          const expected = c < 3 ? values[o * 12 + c * 4 + pixel]! : 0;
          assertEquals(device[(pixel * 4 + c) * 5 + o], expected);
        }
      }
    }
    assertEquals((await parameters.read()).get("l.weight"), values);
  }));

Deno.test("a linear layer larger than a binding is split by outputs and comes back whole", () =>
  withGpu(async (gpu) => {
    const input: Shape = { c: 20, h: 1, w: 1 };
    const limit = 20 * 4 * 64; // room for 64 columns of 20 rows
    using parameters = store(gpu, { l: [linear({ in: 20, out: 150 }), input] }, limit);
    const weight = parameters.get("l.weight"), bias = parameters.get("l.bias");
    assertEquals(weight.tensors.map((t) => t.shape), [[1, 1, 20, 64], [1, 1, 20, 64], [1, 1, 20, 22]]);
    assertEquals(bias.tensors.map((t) => t.shape), [[64], [64], [22]]);
    assert(weight.tensors.every((t) => t.length * 4 <= limit));
    const values = new Map([["l.weight", ramp(3000)], ["l.bias", ramp(150)]]);
    for (const [name, v] of values) parameters.write(name, v);
    assertEquals(await parameters.read(), values);
    assertEquals([...(await readTensor(gpu, bias.tensors[2]!))], [...ramp(150).slice(128)]);
    assertThrows(
      () => linear({ in: 20, out: 150 }).describe(input, 100),
      RangeError,
      "32 columns of 20 rows",
    );
  }));

Deno.test("parameters that are written one by one do not touch each other", () =>
  withGpu(async (gpu) => {
    using parameters = store(gpu, {
      a: [linear({ in: 3, out: 3 }), { c: 3, h: 1, w: 1 }],
      b: [linear({ in: 3, out: 7 }), { c: 3, h: 1, w: 1 }],
    });
    assertEquals(parameters.count, 12 + 28);
    parameters.write("a.bias", ramp(3));
    parameters.write("b.weight", ramp(21));
    parameters.write("b.bias", ramp(7).map((v) => -v));
    const read = await parameters.read();
    assertEquals([...read.get("a.weight")!], Array(9).fill(0));
    assertEquals([...read.get("a.bias")!], [1, 2, 3]);
    assertEquals(read.get("b.weight"), ramp(21));
    assertEquals([...read.get("b.bias")!], [-1, -2, -3, -4, -5, -6, -7]);
    const some = await parameters.read(["b.bias"]);
    assertEquals([...some.keys()], ["b.bias"]);
    assertThrows(() => parameters.write("a.bias", ramp(4)), RangeError, "got 4 values, its shape is [3]");
    assertThrows(() => parameters.get("c.bias"), RangeError, "Cannot find parameter c.bias");
    const zeros = parameters.zerosLike("state");
    assertEquals([...(await parameters.read(["a.bias"], zeros)).get("a.bias")!], [0, 0, 0]);
    zeros.forEach((t) => t && destroyTensor(gpu, t));
  }));

Deno.test("initial values have the mean and deviation that their initialiser says", () => {
  const spec = (init: Init, shape = [200, 300]) => ({
    name: "weight",
    shape,
    init,
    trained: true,
    parts: [],
  });
  const cases: [Init, number][] = [
    [{ kind: "he", fanIn: 50, fanOut: 5 }, Math.sqrt(2 / 50)],
    [{ kind: "xavier", fanIn: 50, fanOut: 150 }, Math.sqrt(2 / 200)],
    [{ kind: "normal", std: 0.01 }, 0.01],
  ];
  for (const [init, std] of cases) {
    assertAlmostEquals(deviation(init), std, 1e-12);
    const values = initialValues(spec(init), "x.weight", 1);
    const n = values.length, mean = values.reduce((a, b) => a + b, 0) / n;
    const variance = values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / n;
    const fourth = values.reduce((sum, v) => sum + (v - mean) ** 4, 0) / n;
    assert(Math.abs(mean) < 4 * std / Math.sqrt(n), `mean ${mean}`); // four standard errors
    assertAlmostEquals(Math.sqrt(variance), std, 4 * std / Math.sqrt(2 * n));
    assertAlmostEquals(fourth / variance ** 2, 3, 0.1); // a normal distribution's
  }
  assertEquals([...initialValues(spec({ kind: "zeros" }, [3]), "b", 1)], [0, 0, 0]);
  assertEquals([...initialValues(spec({ kind: "ones" }, [2]), "b", 1)], [1, 1]);
});

Deno.test("initial values depend on seed and name alone", () => {
  const spec = {
    name: "weight",
    shape: [64],
    init: { kind: "normal", std: 1 } as const,
    trained: true,
    parts: [],
  };
  const first = initialValues(spec, "features.0.weight", 1);
  assertEquals(initialValues(spec, "features.0.weight", 1), first);
  for (const [name, seed] of [["features.0.weight", 2], ["features.3.weight", 1]] as const) {
    const other = initialValues(spec, name, seed);
    const correlation = other.reduce((sum, v, i) => sum + v * first[i]!, 0) / 64;
    assert(Math.abs(correlation) < 0.5, `correlation ${correlation}`);
  }
  assertNotEquals(streamOf("ab"), streamOf("ba"));
  assertEquals(product([]), 1);
});
